//! vae-model page: it needs no other file, and decodes what vae-decode decodes.

use common::backend::Device;
use common::infer::Prior;
use common::model::{Bottleneck, Likelihood, Model, Network, Objective, Spec, Weight};

use crate::harness::{NETWORKS, TestDir};

/// Runs the decoder of `page.html` on `z.jsonl`, and leaves images in `theirs.jsonl`, and the prior of each class.
const NODE: &str = r#"
const fs = require("fs");
const html = fs.readFileSync("page.html", "utf8");
const part = (id) => html.match(new RegExp(`id="${id}">([^]*?)</script>`))[1];
const { readModel, interpolate } = new Function(`${part("decoder")}; return { readModel, interpolate };`)();
const description = JSON.parse(part("model"));
const model = readModel(description, part("weights"));
const lines = (name) => fs.readFileSync(name, "utf8").trim().split("\n").map((line) => JSON.parse(line));
const ours = lines("ours.jsonl");
let largest = 0;
lines("z.jsonl").forEach(({ z, y }, item) => {
  const image = model.decode(z, y);
  const expected = ours[item].x_hat.flat();
  if (image.length !== expected.length) throw new Error(`${image.length} pixels, not ${expected.length}`);
  image.forEach((mean, i) => (largest = Math.max(largest, Math.abs(mean - expected[i]))));
});
const priors = Array.from({ length: Math.max(1, description.classes) }, (_, k) => model.prior(k));
const plain = ({ mean, sigma }) => [Array.from(mean), Array.from(sigma)];
const [a, b] = [[3, 0, 0], [0, 1, 0]];
const walk = ["linear", "spherical"].map((how) => [0, 0.5, 1].map((t) => interpolate(a, b, t, how === "spherical")));
console.log(JSON.stringify({ largest, priors: priors.map(plain), walk }));
"#;

/// A folder with every network and a PCA; none without Node.js.
fn with_node() -> Option<TestDir> {
    let dir = TestDir::with_networks();
    if !dir.has("node") {
        return None;
    }
    dir.write("decode.js", NODE);
    Some(dir)
}

#[test]
fn a_page_stands_alone() {
    let dir = TestDir::with_networks();
    for (name, ..) in NETWORKS {
        let html = dir.run(&format!("vae-model page -m {name}.bin")).succeeds().text().to_owned();
        assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"), "{name}");
        for outside in
            ["http:", "https:", "src=", "href=", "url(", "import ", "fetch(", "@import", "XMLHttp", "WebSocket"]
        {
            assert!(!html.contains(outside), "{name}: {outside}");
        }
        assert!(html.contains("default-src 'none'"), "{name}: nothing may be asked for");
        assert_eq!(html.matches("<script").count(), 4, "{name}");
        assert_eq!(html.matches("</script").count(), 4, "{name}");
    }
    dir.run("vae-model page -m mlp.bin > a; vae-model page -m mlp.bin -o b").succeeds();
    dir.assert_same("a", "b");
}

#[test]
fn a_page_says_what_its_model_is() {
    let dir = TestDir::with_networks();
    let html = dir.run("vae-model page -m classes.bin").succeeds().text().to_owned();
    for fact in [
        "classes.bin",
        "784 – 20 – 3, relu, 10 classes, learned prior",
        "-log Bernoulli(x) + KL",
        "on 60 images, 1 epoch<",
    ] {
        assert!(html.contains(fact), "expected {fact}");
    }
    dir.run("cp mlp.bin 'a<script>b&.bin'").succeeds();
    let html = dir.run("vae-model page -m 'a<script>b&.bin'").succeeds().text().to_owned();
    assert!(html.contains("<h1>a&lt;script&gt;b&amp;.bin</h1>") && !html.contains("a<script>b"), "a name is no markup");
}

/// Three components of images of 28 x 28, as no training makes them.
fn principal() -> Model {
    let network = Network { bottleneck: Bottleneck::Components, ..Network::mlp([28, 28], &[], 3) };
    let spec = Spec::new(network, Objective { beta: 0.0, ..Objective::new(Likelihood::gaussian(Likelihood::SIGMA)) });
    let wave = |n: usize| (0..n).map(|i| (i as f32 * 0.7).sin() * 0.3).collect();
    let weights = [
        ("mean".to_owned(), Weight { shape: vec![784], values: wave(784) }),
        ("components".to_owned(), Weight { shape: vec![3, 784], values: wave(3 * 784) }),
    ];
    Model { spec, weights: weights.into() }
}

#[test]
fn a_page_decodes_what_vae_decode_decodes() {
    let Some(dir) = with_node() else { return };
    dir.write("pca.bin", principal().to_bytes());
    for name in NETWORKS.map(|(name, ..)| name).into_iter().chain(["pca"]) {
        dir.run(&format!("vae-model page -m {name}.bin -o page.html")).succeeds();
        dir.run(&format!("vae-encode -m {name}.bin digits.vae | vae-cat --take 12 --jsonl > z.jsonl")).succeeds();
        dir.run(&format!("vae-decode -m {name}.bin --jsonl z.jsonl > ours.jsonl")).succeeds();
        let largest = dir.run("node decode.js").succeeds().json()["largest"].as_f64().expect("a number");
        assert!(largest < 1e-5, "{name}: differs by {largest}");
    }
}

#[test]
fn a_page_draws_from_the_prior_that_is_learned_for_each_class() {
    let Some(dir) = with_node() else { return };
    let node = |name: &str| {
        dir.run(&format!("vae-model page -m {name}.bin -o page.html")).succeeds();
        dir.write("z.jsonl", r#"{"z":[0,0,0],"y":1}"#);
        dir.run(&format!("vae-decode -m {name}.bin --jsonl z.jsonl > ours.jsonl")).succeeds();
        dir.run("node decode.js").succeeds().json()
    };
    assert_eq!(node("mlp")["priors"], serde_json::json!([[[0, 0, 0], [1, 1, 1]]]));
    let (priors, device) = (node("classes")["priors"].clone(), || Device::cpu(1).expect("a CPU"));
    let open = |name: &str| Model::from_bytes(&dir.read(name), name).expect("a model");
    let mut learned = Prior::new(&open("classes.bin"), device()).expect("a prior");
    let mut standard = Prior::new(&open("mlp.bin"), device()).expect("a prior");
    let labels: Vec<u8> = (0..10).collect();
    let noise = standard.draw(0, 0, 10, None, 1.0).expect("noise");
    let expected = learned.draw(0, 0, 10, Some(&labels), 1.0).expect("draws");
    for ((class, i), expected) in expected.indexed_iter() {
        let [mean, sigma] = [0, 1].map(|part| priors[class][part][i].as_f64().expect("a number") as f32);
        let got = mean + sigma * noise[[class, i]];
        assert!((got - expected).abs() < 1e-5, "z{i} of class {class}: expected {expected}, got {got}");
    }
}

#[test]
fn a_page_walks_on_a_line_or_on_an_arc() {
    let Some(dir) = with_node() else { return };
    dir.run("vae-model page -m mlp.bin -o page.html").succeeds();
    dir.run("vae-encode -m mlp.bin digits.vae | vae-cat --take 1 --jsonl > z.jsonl").succeeds();
    dir.run("vae-decode -m mlp.bin --jsonl z.jsonl > ours.jsonl").succeeds();
    let walk = dir.run("node decode.js").succeeds().json()["walk"].clone();
    let half = 2.0 * std::f64::consts::FRAC_1_SQRT_2; // as far out as the middle of 3 and 1
    for (path, middle) in [(0, [1.5, 0.5, 0.0]), (1, [half, half, 0.0])] {
        for (step, expected) in [[3.0, 0.0, 0.0], middle, [0.0, 1.0, 0.0]].into_iter().enumerate() {
            for (i, expected) in expected.into_iter().enumerate() {
                let got = walk[path][step][i].as_f64().expect("a number");
                assert!((got - expected).abs() < 1e-12, "expected {expected}, got {walk}");
            }
        }
    }
}
