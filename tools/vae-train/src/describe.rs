//! A dry run: a table of the parameters, the objective and the hyperparameters, for people.

use common::model::{Binarize, Bottleneck, Prior, Spec};
use common::network::loss_graph;
use common::parameters;
use common::plan::{PixelType, Plan, Precision};
use std::io::Write;
use vae_cli::Result;
use vae_cli::output::{Format, Output};

/// Writes tensors, shapes and parameter counts on standard output.
pub fn describe(spec: &Spec) -> Result<()> {
    let mut plan = Plan::new(1);
    loss_graph(&mut plan, &spec.network, &spec.objective, &spec.data, 1, PixelType::U8);
    let mut text = format!("{:24} {:>20} {:>12}\n", "tensor", "shape", "parameters");
    let mut total = 0;
    for (name, shape) in parameters::shapes(&plan) {
        let count: usize = shape.iter().product();
        text += &format!("{name:24} {:>20} {count:>12}\n", format!("{shape:?}"));
        total += count;
    }
    text += &format!("{:24} {:>20} {total:>12}\n\n", "total", "");
    text += &format!("{}\n{}\n", objective(spec), training(spec));
    let mut output = Output::open(None, Format::Text)?;
    output.write_all(text.as_bytes()).map_err(|e| output.error(e))?;
    output.commit()
}

fn objective(spec: &Spec) -> String {
    let (network, objective) = (&spec.network, &spec.objective);
    let pixels = match spec.data.binarize {
        Binarize::None => "in [0, 1]",
        Binarize::Threshold => "black or white, at 0.5",
        Binarize::Static => "black or white, drawn once",
        Binarize::Dynamic => "black or white, drawn at each visit",
    };
    let labels = network.classes.map(|classes| format!(" with labels of {classes} classes")).unwrap_or_default();
    let kl = match network.prior {
        _ if !network.bottleneck.is_distribution() => None,
        Prior::Learned { .. } => Some("KL(q(z | x, y) to p(z | y))"),
        Prior::Standard => Some("KL"),
    };
    let draws = match objective.samples {
        _ if !network.bottleneck.is_distribution() => String::new(),
        1 => ", 1 draw of z".into(),
        samples => format!(", {samples} draws of z"),
    };
    let (image, loss) = (network.image, objective.formula(kl));
    format!("images {image} {pixels}{labels}; loss = {loss}, nats per image{draws}")
}

fn training(spec: &Spec) -> String {
    let (network, training) = (&spec.network, &spec.training);
    if network.bottleneck == Bottleneck::Components {
        return "exact: the eigenvectors of the pixels' covariance".into();
    }
    let precision = match training.precision {
        Precision::Fp32 => String::new(),
        other => format!(", products of {}", other.name()),
    };
    format!(
        "{}; Adam lr {}, batches of {}, {} epochs, seed {}{precision}",
        network.activations(),
        training.lr,
        training.batch,
        training.epochs,
        training.seed
    )
}
