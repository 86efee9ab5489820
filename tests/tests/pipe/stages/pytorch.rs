//! PyTorch with exported weights, and the programs with imported ones, compute the same images.

use crate::harness::{NETWORKS, TestDir, skipped};
use crate::stages::model_import::imports;

/// A module for each description that `vae-model info` writes, with the names of its state dict; and what it makes of
/// images.
const MODULE: &str = r#"
import json, sys
import numpy as np
import torch
from torch import nn

def act(text):
    name, _, slope = text.partition(":")
    kinds = dict(none=nn.Identity, relu=nn.ReLU, tanh=nn.Tanh, softplus=nn.Softplus)
    return nn.LeakyReLU(float(slope)) if slope else kinds[name]()

class Vae(nn.Module):
    def __init__(self, network, values):
        super().__init__()
        (h, w), hidden, z = network["image"], network["hidden"], network["latent"]
        labels = network.get("labels", {})
        k, (first, second) = labels.get("classes", 0), network.get("activation", ["relu", "relu"])
        self.code, self.conv = network.get("autoencoder"), network["kind"] == "conv"
        if self.conv:
            sides, channels = [(h, w)], [1, *hidden]
            for _ in hidden:
                sides.append(tuple((n + 1) // 2 for n in sides[-1]))
            flat = hidden[-1] * sides[-1][0] * sides[-1][1]
            self.encoder = nn.Sequential()
            for i, o in zip(channels, channels[1:]):
                self.encoder.append(nn.Conv2d(i, o, 5, 2, 2)).append(act(first))
            self.encoder.append(nn.Flatten())
            self.decoder = nn.Sequential(nn.Linear(z + k, flat), act(second), nn.Unflatten(1, (hidden[-1], *sides[-1])))
            for n in range(len(hidden), 0, -1):
                odd = tuple(1 - s % 2 for s in sides[n - 1])
                out = channels[n - 1] if n > 1 else values
                self.decoder.append(nn.ConvTranspose2d(channels[n], out, 5, 2, 2, odd))
                if n > 1:
                    self.decoder.append(act(second))
            seen = flat + k
        else:
            down, up = [h * w + k, *hidden], [z + k, *hidden[::-1]]
            self.encoder, self.decoder = self.stack(down, first), self.stack(up, second)
            self.decoder.append(nn.Linear(up[-1], values * h * w))
            seen = down[-1]
        if self.code is None:
            self.mu, self.logvar = nn.Linear(seen, z), nn.Linear(seen, z)
        else:
            self.encoder.append(nn.Linear(seen, z))
        if "prior" in labels:
            widths = [k, *labels["prior"]]
            self.prior = self.stack(widths, first)
            self.prior_mu, self.prior_logvar = nn.Linear(widths[-1], z), nn.Linear(widths[-1], z)

    @staticmethod
    def stack(widths, name):
        layers = nn.Sequential()
        for i, o in zip(widths, widths[1:]):
            layers.append(nn.Linear(i, o)).append(act(name))
        return layers

    def forward(self, x, y):
        if self.conv:
            h = torch.cat([self.encoder(x[:, None]), y], 1) if self.code is None else self.encoder(x[:, None])
        else:
            h = self.encoder(torch.cat([x.flatten(1), y], 1))
        z = self.mu(h) if self.code is None else act(self.code)(h)
        v = self.decoder(torch.cat([z, y], 1))
        return z, torch.sigmoid(v.flatten(1)[:, : x[0].numel()]).reshape(x.shape)

def run(model, info, made):
    """What a model makes of the digits: z and x_hat."""
    low, high = info["data"]["range"]
    k = info["network"].get("labels", {}).get("classes", 0)
    x = torch.from_numpy(np.load("x.npy").astype(np.float32) / 255) * (high - low) + low
    y = torch.eye(k)[np.load("y.npy").astype(np.int64)] if k else torch.zeros(len(x), 0)
    with torch.no_grad():
        z, x_hat = model(x, y)
    np.save(made + "-z.npy", z.numpy())
    np.save(made + "-x.npy", x_hat.numpy())

for name in sys.argv[1:]:
    info = json.load(open(name + ".json"))
    likelihood = info["objective"]["likelihood"]
    learned = likelihood != "bernoulli" and likelihood["gaussian"]["sigma"] == "learned"
    torch.manual_seed(0)
    model = Vae(info["network"], 2 if learned else 1)
    # Weights of its own, which make images that are not grey, for pixels from -1 to 1.
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2)
    np.savez(name + "-made.npz", **{k: t.numpy() for k, t in model.state_dict().items()})
    run(model, dict(info, data={"range": [-1, 1]}), name + "-made")
    model.load_state_dict({k: torch.from_numpy(t) for k, t in np.load(name + ".npz").items()})
    run(model, info, name)
"#;

#[test]
fn both_ways_every_network_makes_the_same_images() {
    let mut dir = TestDir::with_networks();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    dir.set("PYTHON", &python);
    if dir.run("$PYTHON -c 'import numpy, torch'").codes != [0] {
        return skipped("both_ways_every_network_makes_the_same_images", &format!("{python} has no module torch"));
    }
    dir.write("module.py", MODULE);
    dir.run("for n in x y; do vae-cat digits.vae --npy $n > $n.npy; done").succeeds();
    let names = NETWORKS.map(|(name, ..)| name);
    for name in names {
        dir.run(&format!("vae-model info {name}.bin > {name}.json; vae-model export {name}.bin -o {name}.npz"))
            .succeeds();
    }
    dir.run(&format!("$PYTHON module.py {}", names.join(" "))).succeeds();
    for (name, _, told) in NETWORKS {
        imports(&dir, &format!("{name}-made.npz {told} --input-range -1,1 -o {name}-made.bin"));
        for model in [name.to_owned(), format!("{name}-made")] {
            dir.run(&format!("vae-encode -m {model}.bin digits.vae -o z.vae; vae-cat z.vae --npy z > z.npy"))
                .succeeds();
            dir.run("vae-decode z.vae --npy x_hat > x_hat.npy").succeeds();
            dir.assert_near("z.npy", &format!("{model}-z.npy"), 1e-4);
            dir.assert_near("x_hat.npy", &format!("{model}-x.npy"), 1e-5);
        }
    }
}
