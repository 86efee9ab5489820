"""The networks of vae-train's presets in PyTorch, for images of 28 x 28 pixels.

Dimensions: N batch, D pixels, K classes, Z latent, L samples. `losses` takes images x [N, D], and of a network with classes labels y
[N, K] of zeros and ones too; it gives reconstruction and KL, each summed over the images.
"""
import torch
import torch.nn.functional as F
from torch import nn

PIXELS = 28 * 28


def bernoulli(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum")


def squared_error(logits, x):
    """-log p of a Gaussian whose variance is 1/2, without its constant, D/2 log pi for each image."""
    return F.mse_loss(torch.sigmoid(logits), x, reduction="sum")


def draw(mu, logvar):
    return mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)


def stack(*widths, activation=nn.ReLU):
    """Linear layers, an activation behind each."""
    layers = nn.Sequential()
    for i, o in zip(widths, widths[1:]):
        layers.append(nn.Linear(i, o)).append(activation())
    return layers


class Vae(nn.Module):
    classes = None

    def __init__(self, encoder, decoder, latent, reconstruction=bernoulli, samples=1):
        super().__init__()
        self.encoder, self.decoder, self.latent, self.reconstruction = encoder, decoder, latent, reconstruction
        self.samples = samples

    def losses(self, x):
        # Under autocast, layers give bf16; all else is float32.
        mu, logvar = self.encoder(x).float().split(self.latent, dim=1)
        kl = -0.5 * torch.sum(1 + logvar - mu * mu - logvar.exp())
        if self.samples > 1:
            mu, logvar, x = (rows.repeat_interleave(self.samples, dim=0) for rows in (mu, logvar, x))
        return self.reconstruction(self.decoder(draw(mu, logvar)).float(), x) / self.samples, kl


class ConditionalVae(nn.Module):
    """Encoder and decoder see the label too, and p(z given y) is learned."""

    def __init__(self, hidden, latent, prior, classes):
        super().__init__()
        self.latent, self.classes, self.reconstruction = latent, classes, bernoulli
        self.encoder = stack(PIXELS + classes, hidden).append(nn.Linear(hidden, 2 * latent))
        self.prior = stack(classes, prior).append(nn.Linear(prior, 2 * latent))
        self.decoder = stack(latent + classes, hidden).append(nn.Linear(hidden, PIXELS))

    def losses(self, x, y):
        mu, logvar = self.encoder(torch.cat([x, y], dim=1)).float().split(self.latent, dim=1)
        prior_mu, prior_logvar = self.prior(y).float().split(self.latent, dim=1)
        distance = (mu - prior_mu) ** 2 * torch.exp(-prior_logvar)
        kl = 0.5 * torch.sum(prior_logvar - logvar + torch.exp(logvar - prior_logvar) + distance - 1)
        return self.reconstruction(self.decoder(torch.cat([draw(mu, logvar), y], dim=1)).float(), x), kl


class Autoencoder(nn.Module):
    """There is no KL."""

    classes, reconstruction = None, staticmethod(squared_error)

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def losses(self, x):
        return self.reconstruction(self.decoder(self.encoder(x)).float(), x), x.new_zeros(())


def mlp(hidden, latent, reconstruction=bernoulli, activation="relu", samples=1):
    """D - hidden - (mu, logvar), and back from Z; the heads for mu and logvar are one product. L samples of z per image."""
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    encoder = stack(PIXELS, *hidden, activation=activation).append(nn.Linear(hidden[-1], 2 * latent))
    decoder = stack(latent, *hidden[::-1], activation=activation).append(nn.Linear(hidden[0], PIXELS))
    return Vae(encoder, decoder, latent, reconstruction, samples)


def conv_20():
    """Two convolutions that halve the side, and two that double it."""
    halve, double = {"stride": 2, "padding": 2}, {"stride": 2, "padding": 2, "output_padding": 1}
    encoder = [nn.Unflatten(1, (1, 28, 28))]
    encoder += [nn.Conv2d(1, 16, 5, **halve), nn.LeakyReLU(0.2), nn.Conv2d(16, 32, 5, **halve), nn.LeakyReLU(0.2)]
    encoder += [nn.Flatten(), nn.Linear(1568, 2 * 20)]
    decoder = [nn.Linear(20, 1568), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))]
    decoder += [nn.ConvTranspose2d(32, 16, 5, **double), nn.ReLU(), nn.ConvTranspose2d(16, 1, 5, **double)]
    decoder += [nn.Flatten()]
    return Vae(nn.Sequential(*encoder), nn.Sequential(*decoder), 20)


def ae_20():
    """With a relu behind the code too."""
    return Autoencoder(stack(PIXELS, 256, 64, 20), stack(20, 64, 256).append(nn.Linear(256, PIXELS)))


PRESETS = {
    "conv-20": conv_20,
    "cvae-prior": lambda: ConditionalVae(hidden=400, latent=20, prior=100, classes=10),
    "ae-20": ae_20,
    "vae-64-10": lambda: mlp([256, 64], 10, squared_error),
}
