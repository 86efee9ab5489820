//! What no network can be built of, or trained as, is refused before anything is allocated for it.

use super::{Binarize, Layers, Likelihood, Sigma, Spec};
use crate::SpecError;

/// The largest layer, and the most pixels.
const MOST: usize = 1 << 16;
/// The most classes: labels are bytes.
const CLASSES: usize = 256;

type Result = std::result::Result<(), SpecError>;

fn out_of_range(field: &'static str, value: impl std::fmt::Debug, expected: impl Into<String>) -> Result {
    Err(SpecError::OutOfRange { field, value: format!("{value:?}"), expected: expected.into() })
}

impl Spec {
    /// Checks the whole spec.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result {
        self.check_settings()?;
        let network = &self.network;
        let ([h, w], pixels, latent) = (network.image, network.pixels(), network.latent);
        check_sizes(&network.image)?;
        if pixels > MOST {
            return Err(SpecError::ImageArea { h, w, most: MOST });
        }
        match network.kind {
            Layers::Conv if network.flat() > MOST => Err(SpecError::ConvSize { most: MOST }),
            Layers::Pca if latent > pixels => Err(SpecError::Components { latent, pixels }),
            _ => Ok(()),
        }
    }

    /// Checks all but the size of the images, which may not be known yet.
    ///
    /// # Errors
    /// As [`check`](Spec::check).
    pub fn check_settings(&self) -> Result {
        self.check_layers()?;
        self.check_labels()?;
        self.check_objective()?;
        self.check_components()?;
        self.check_training()
    }

    fn check_layers(&self) -> Result {
        let network = &self.network;
        check_sizes(&network.hidden)?;
        check_sizes(&[network.latent])?;
        check_sizes(network.learned_prior().unwrap_or_default())?;
        match network.kind {
            Layers::Conv => {
                let channels = network.hidden.iter().copied().max().unwrap_or(0);
                let most = network.convs().iter().map(|w| w.patch_len().max(w.kernel_area() * channels)).max();
                match most {
                    None => Err(SpecError::NoConvolution),
                    Some(most) if most > MOST => Err(SpecError::ConvSize { most: MOST }),
                    _ => Ok(()),
                }
            }
            Layers::Pca if !network.hidden.is_empty() || network.autoencoder.is_some() || network.labels.is_some() => {
                Err(SpecError::PcaLayers)
            }
            Layers::Mlp | Layers::Pca => Ok(()),
        }
    }

    fn check_labels(&self) -> Result {
        let Some(classes) = self.network.classes() else { return Ok(()) };
        if !(1..=CLASSES).contains(&classes) {
            return out_of_range("classes", classes, format!("1 to {CLASSES}"));
        }
        match self.network.learned_prior() {
            Some(_) if !self.network.is_variational() => Err(SpecError::AutoencoderPrior),
            _ => Ok(()),
        }
    }

    fn check_objective(&self) -> Result {
        // The engine computes in f32, where a number may be infinite or 0 that is not so in f64.
        let objective = &self.objective;
        let (beta, warmup) = (objective.beta, objective.kl_warmup);
        if !(beta as f32).is_finite() || beta < 0.0 {
            return out_of_range("beta", beta, "0 or more, within f32");
        }
        if !(0.0..1e6).contains(&warmup) {
            return out_of_range("kl_warmup", warmup, "a number of epochs");
        }
        if let Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } = objective.likelihood
            && !(1e-3..=1e3).contains(&sigma)
        {
            return out_of_range("sigma", sigma, "0.001 to 1000");
        }
        if objective.samples == 0 || objective.samples > 1 << 12 {
            return out_of_range("samples", objective.samples, format!("1 to {}", 1 << 12));
        }
        if !self.network.is_variational() && (beta, objective.samples, warmup) != (0.0, 1, 0.0) {
            return Err(SpecError::AutoencoderKl);
        }
        Ok(())
    }

    /// Principal components are of pixels as they are, and minimise the squared error.
    fn check_components(&self) -> Result {
        let squared = matches!(self.objective.likelihood, Likelihood::Gaussian { sigma: Sigma::Fixed(_) });
        let unchanged = self.data.binarize == Binarize::None && self.data.range == [0.0, 1.0];
        match self.network.kind {
            Layers::Pca if !squared => Err(SpecError::PcaLikelihood),
            Layers::Pca if !unchanged => Err(SpecError::PcaPixels),
            _ => Ok(()),
        }
    }

    fn check_training(&self) -> Result {
        let (lr, batch) = (self.training.lr, self.training.batch);
        if !(lr as f32).is_finite() || lr as f32 <= 0.0 {
            return out_of_range("lr", lr, "a number above 0, within f32");
        }
        if batch == 0 || batch > 1 << 20 {
            return out_of_range("batch", batch, format!("1 to {}", 1 << 20));
        }
        let [black, white] = self.data.range;
        if !(white > black && (black as f32).is_finite() && (white as f32).is_finite()) {
            return Err(SpecError::InputRange { black, white });
        }
        Ok(())
    }
}

/// Sizes of layers or images.
fn check_sizes(sizes: &[usize]) -> Result {
    match sizes.iter().find(|size| **size == 0 || **size > MOST) {
        Some(size) => Err(SpecError::Size { size: *size, most: MOST }),
        None => Ok(()),
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
        vae_cli::Error::from(spec.check().expect_err("refused")).to_string()
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
