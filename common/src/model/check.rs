//! What no network can be built of is refused by the name of its option, before anything is allocated for it.

use super::{Binarize, Layers, Likelihood, Sigma, Spec};
use vae_cli::{Error, Result};

/// The largest layer, and the most pixels.
const MOST: usize = 1 << 16;
/// The most classes: labels are bytes.
const CLASSES: usize = 256;

impl Spec {
    /// # Errors
    /// [`Error::Usage`], for the first thing that is wrong.
    pub fn check(&self) -> Result<()> {
        match self.complaint() {
            None => Ok(()),
            Some(complaint) => Err(Error::Usage(complaint)),
        }
    }

    fn complaint(&self) -> Option<String> {
        self.network()
            .or_else(|| self.conditions())
            .or_else(|| self.loss())
            .or_else(|| self.components())
            .or_else(|| self.run())
    }

    fn network(&self) -> Option<String> {
        let network = &self.network;
        let (image, hidden, latent) = (network.image, &network.hidden, network.latent);
        let prior = network.learned_prior().unwrap_or_default();
        let mut sizes = image.iter().chain(hidden).chain([&latent]).chain(prior);
        if let Some(size) = sizes.find(|size| **size == 0 || **size > MOST) {
            return Some(format!(
                "the size of a layer or image is {size}: expected 1 to {MOST}; see --hidden, --conv and --latent"
            ));
        }
        if image[0] * image[1] > MOST {
            let [h, w] = image;
            return Some(format!(
                "images of {h} x {w} pixels are too large: expected at most {MOST} pixels; make them smaller"
            ));
        }
        match network.kind {
            Layers::Conv => {
                let channels = hidden.iter().copied().max().unwrap_or(0);
                let most = network.convs().iter().map(|w| w.patch_len().max(w.kernel_area() * channels)).max();
                match most {
                    None => Some("a convolutional network has no convolution: expected --conv N,N".into()),
                    Some(most) if most > MOST || network.flat() > MOST => {
                        Some(format!("--conv has layers of more than {MOST} values: expected fewer channels"))
                    }
                    _ => None,
                }
            }
            Layers::Mlp => None,
            Layers::Pca if !hidden.is_empty() || network.autoencoder.is_some() || network.labels.is_some() => {
                Some("principal components have no layers and no labels: expected neither".into())
            }
            Layers::Pca if latent > network.pixels() => {
                let pixels = network.pixels();
                Some(format!("--latent is {latent}: expected at most {pixels} components, one for each pixel"))
            }
            Layers::Pca => None,
        }
    }

    fn conditions(&self) -> Option<String> {
        let classes = self.network.classes()?;
        if !(1..=CLASSES).contains(&classes) {
            return Some(format!("--classes is {classes}: expected 1 to {CLASSES}"));
        }
        (self.network.learned_prior().is_some() && !self.network.is_variational())
            .then(|| "an autoencoder has no prior: expected --prior standard".into())
    }

    fn loss(&self) -> Option<String> {
        // The engine computes in f32, where a number may be infinite or 0 that is not so in f64.
        let objective = &self.objective;
        let (beta, warmup) = (objective.beta, objective.kl_warmup);
        if !(beta as f32).is_finite() || beta < 0.0 {
            return Some(format!("--beta is {beta:?}: expected 0 or more, within f32"));
        }
        if !(0.0..1e6).contains(&warmup) {
            return Some(format!("--kl-warmup is {warmup:?}: expected a number of epochs"));
        }
        if let Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } = objective.likelihood
            && !(1e-3..=1e3).contains(&sigma)
        {
            return Some(format!("--sigma is {sigma:?}: expected 0.001 to 1000"));
        }
        if objective.samples == 0 || objective.samples > 1 << 12 {
            return Some(format!("--samples is {}: expected 1 to {}", objective.samples, 1 << 12));
        }
        if !self.network.is_variational() && (beta, objective.samples, warmup) != (0.0, 1, 0.0) {
            return Some(
                "an autoencoder has no KL and draws nothing: expected no --beta, --samples or --kl-warmup".into(),
            );
        }
        None
    }

    /// Principal components are of pixels as they are, and minimise the squared error.
    fn components(&self) -> Option<String> {
        if self.network.kind != Layers::Pca {
            return None;
        }
        let squared = matches!(self.objective.likelihood, Likelihood::Gaussian { sigma: Sigma::Fixed(_) });
        let as_they_are = self.data.binarize == Binarize::None && self.data.range == [0.0, 1.0];
        match (squared, as_they_are) {
            (true, true) => None,
            (false, _) => {
                Some("principal components minimise the squared error: expected Gaussian pixels of one sigma".into())
            }
            (_, false) => {
                Some("principal components are of pixels as they are: expected no --binarize or --input-range".into())
            }
        }
    }

    fn run(&self) -> Option<String> {
        let (lr, batch) = (self.training.lr, self.training.batch);
        if !(lr as f32).is_finite() || lr as f32 <= 0.0 {
            return Some(format!("--lr is {lr:?}: expected a number above 0, within f32"));
        }
        if batch == 0 || batch > 1 << 20 {
            return Some(format!("--batch is {batch}: expected 1 to {}", 1 << 20));
        }
        let [black, white] = self.data.range;
        (!(white > black && (black as f32).is_finite() && (white as f32).is_finite()))
            .then(|| format!("--input-range is {black:?},{white:?}: expected black below white"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Network, Objective, Preset};
    use crate::plan::Activation;

    fn message(change: impl Fn(&mut Spec)) -> String {
        let mut spec = Spec::new(Network::mlp([28, 28], &[400], 20), Objective::new(Likelihood::Bernoulli));
        assert!(spec.check().is_ok());
        change(&mut spec);
        spec.check().expect_err("refused").to_string()
    }

    #[test]
    fn a_spec_that_no_network_can_be_built_of_is_refused_by_the_name_of_its_option() {
        assert!(message(|s| s.objective.beta = -1.0).contains("--beta is -1"));
        assert!(message(|s| s.objective.samples = 0).contains("--samples is 0"));
        assert!(message(|s| s.objective.kl_warmup = -1.0).contains("--kl-warmup is -1"));
        assert!(message(|s| s.objective.likelihood = Likelihood::gaussian(0.0)).contains("--sigma is 0"));
        assert!(message(|s| s.training.lr = f64::NAN).contains("--lr is NaN"));
        assert!(message(|s| s.training.lr = 1e-60).contains("--lr is 1e-60"));
        assert!(message(|s| s.objective.beta = 1e300).contains("--beta is 1e300"));
        assert!(message(|s| s.training.batch = 0).contains("--batch is 0"));
        assert!(message(|s| s.data.range = [1.0, -1.0]).contains("--input-range is 1.0,-1.0"));
        assert!(message(|s| s.network.hidden = vec![400, 0]).contains("--hidden"));
        assert!(message(|s| s.network.latent = 1 << 40).contains("--latent"));
        assert!(message(|s| s.network.image = [1000, 1000]).contains("1000 x 1000 pixels are too large"));
    }

    #[test]
    fn what_a_kind_of_network_has_not_is_refused() {
        let conv = |hidden: Vec<usize>| {
            move |s: &mut Spec| (s.network.kind, s.network.hidden) = (Layers::Conv, hidden.clone())
        };
        assert!(message(conv(vec![])).contains("--conv N,N"));
        assert!(message(conv(vec![16, 5000])).contains("fewer channels"));
        let labels = |classes, prior| Some(Labels { classes, prior });
        assert!(message(|s| s.network.labels = labels(0, None)).contains("--classes is 0"));
        assert!(message(|s| s.network.labels = labels(300, None)).contains("--classes is 300"));
        let autoencoder = |s: &mut Spec| s.network.autoencoder = Some(Activation::Relu);
        assert!(message(autoencoder).contains("has no KL"));
        let prior = |s: &mut Spec| {
            autoencoder(s);
            s.objective.beta = 0.0;
            s.network.labels = labels(10, Some(vec![100]));
        };
        assert!(message(prior).contains("--prior standard"));
    }

    #[test]
    fn what_principal_components_are_not_is_refused() {
        let components = |change: fn(&mut Spec)| {
            move |s: &mut Spec| {
                let preset = Preset::named("pca-20").unwrap();
                (s.network, s.objective) = (preset.network, preset.objective);
                assert!(s.check().is_ok());
                change(s);
            }
        };
        assert!(message(components(|s| s.network.latent = 785)).contains("at most 784 components"));
        assert!(message(components(|s| s.network.hidden = vec![9])).contains("no layers"));
        assert!(message(components(|s| s.network.autoencoder = Some(Activation::Relu))).contains("no layers"));
        assert!(
            message(components(|s| s.network.labels = Some(Labels { classes: 10, prior: None }))).contains("no labels")
        );
        assert!(message(components(|s| s.objective.likelihood = Likelihood::Bernoulli)).contains("squared error"));
        let learned = components(|s| s.objective.likelihood = Likelihood::gaussian_learned());
        assert!(message(learned).contains("one sigma"));
        assert!(message(components(|s| s.objective.beta = 1.0)).contains("no KL"));
        assert!(message(components(|s| s.data.binarize = Binarize::Static)).contains("no --binarize"));
        assert!(message(components(|s| s.data.range = [-1.0, 1.0])).contains("--input-range"));
    }
}
