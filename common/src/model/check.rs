//! Validation of a spec, before any allocation.

use super::{Binarize, Bottleneck, Conv, Hidden, Likelihood, Network, Prior, Progress, Sigma, Spec};
use crate::SpecError;

/// The largest layer, and the most pixels.
const MOST: usize = 1 << 16;
/// The most classes: labels are bytes.
const CLASSES: usize = 256;
/// The most steps of a run: any reader of JSON has such a number.
const STEPS: u64 = 1 << 53;

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
        self.check_progress()?;
        let Network { image, latent, .. } = self.network;
        check_sizes(&[image.height, image.width])?;
        if image.channels != 1 {
            return Err(SpecError::Channels(image));
        }
        if image.values() > MOST {
            return Err(SpecError::ImageArea { image, most: MOST });
        }
        match self.network.bottleneck {
            Bottleneck::Components if latent > image.values() => {
                Err(SpecError::Components { latent, pixels: image.values() })
            }
            _ if self.network.flat() > MOST => Err(SpecError::ConvSize { most: MOST }),
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
        check_sizes(&network.hidden.widths())?;
        check_sizes(&[network.latent])?;
        if let Prior::Learned { hidden } = &network.prior {
            check_sizes(hidden)?;
        }
        match &network.hidden {
            Hidden::Conv(layers) if layers.is_empty() => Err(SpecError::NoConvolution),
            Hidden::Conv(layers) => {
                // A patch of the input, and of the output in the transposed convolution.
                let patch = |layer: &Conv, channels: usize| layer.kernel * layer.kernel * channels;
                let channels = layers.iter().map(|layer| layer.out).max().unwrap_or(0);
                match layers.iter().any(|layer| patch(layer, channels) > MOST) {
                    true => Err(SpecError::ConvSize { most: MOST }),
                    false => Ok(()),
                }
            }
            Hidden::Linear(_) => Ok(()),
        }
    }

    fn check_labels(&self) -> Result {
        let network = &self.network;
        let Some(classes) = network.classes else {
            return if network.prior == Prior::Standard { Ok(()) } else { Err(SpecError::PriorClasses) };
        };
        if !(1..=CLASSES).contains(&classes) {
            return out_of_range("classes", classes, format!("1 to {CLASSES}"));
        }
        match network.prior {
            Prior::Learned { .. } if !network.bottleneck.is_distribution() => Err(SpecError::AutoencoderPrior),
            _ => Ok(()),
        }
    }

    fn check_objective(&self) -> Result {
        // The engine computes in f32, where a finite f64 may overflow or underflow.
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
        if !self.network.bottleneck.is_distribution() && (beta, objective.samples, warmup) != (0.0, 1, 0.0) {
            return Err(SpecError::AutoencoderKl);
        }
        Ok(())
    }

    /// PCA takes unprocessed pixels and minimises the squared error.
    fn check_components(&self) -> Result {
        let network = &self.network;
        if network.bottleneck != Bottleneck::Components {
            return Ok(());
        }
        if !network.hidden.is_empty() || network.classes.is_some() {
            return Err(SpecError::PcaLayers);
        }
        let squared = matches!(self.objective.likelihood, Likelihood::Gaussian { sigma: Sigma::Fixed(_) });
        let unchanged = self.data.binarize == Binarize::None && self.data.range == [0.0, 1.0];
        match (squared, unchanged) {
            (true, true) => Ok(()),
            (false, _) => Err(SpecError::PcaLikelihood),
            (_, false) => Err(SpecError::PcaPixels),
        }
    }

    fn check_progress(&self) -> Result {
        let (images, steps) = (self.data.images, self.training.steps);
        let Progress { epoch, at } = self.checkpoint.unwrap_or(Progress { epoch: 1, at: 0 });
        match epoch == 0 || epoch > STEPS as usize || at > images || steps > STEPS {
            true => Err(SpecError::Progress { epoch, at, images, steps }),
            false => Ok(()),
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
    use crate::model::{Objective, Preset};
    use crate::plan::Activation;
    use vae_stream::images::ImageShape;

    fn message(change: impl Fn(&mut Spec)) -> String {
        let mut spec =
            Spec::new(Network::mlp(ImageShape::grey(28, 28), &[400], 20), Objective::new(Likelihood::Bernoulli));
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
        assert!(message(|s| s.network.hidden = Hidden::Linear(vec![400, 0])).contains("--hidden"));
        assert!(message(|s| s.network.latent = 1 << 40).contains("--latent"));
        assert!(
            message(|s| s.network.image = ImageShape::grey(1000, 1000)).contains("1000 x 1000 pixels are too large")
        );
    }

    #[test]
    fn a_checkpoint_at_a_place_that_no_run_comes_to_is_refused() {
        let at = |epoch, at, steps| {
            move |s: &mut Spec| {
                (s.data.images, s.checkpoint, s.training.steps) = (10, Some(Progress { epoch, at }), steps);
            }
        };
        for (epoch, image, steps) in [(0, 0, 0), (1, 11, 0), (1, usize::MAX, 0), (usize::MAX, 0, 0), (1, 0, u64::MAX)] {
            assert!(message(at(epoch, image, steps)).contains("expected a place in a run"));
        }
        let mut spec = Spec::new(Network::mlp([28, 28], &[400], 20), Objective::new(Likelihood::Bernoulli));
        at(1, 10, 3)(&mut spec);
        assert!(spec.check().is_ok());
    }

    #[test]
    fn what_a_kind_of_network_has_not_is_refused() {
        let conv = |channels: &'static [usize]| move |s: &mut Spec| s.network.hidden = Hidden::halving(channels);
        assert!(message(conv(&[])).contains("--conv N,N"));
        assert!(message(conv(&[16, 5000])).contains("fewer channels"));
        assert!(message(|s| s.network.classes = Some(0)).contains("--classes is 0"));
        assert!(message(|s| s.network.classes = Some(300)).contains("--classes is 300"));
        assert!(message(|s| s.network.image.channels = 3).contains("28 x 28 x 3 have 3 channels"));
        let autoencoder = |s: &mut Spec| s.network.bottleneck = Bottleneck::Point(Activation::Relu);
        assert!(message(autoencoder).contains("has no KL"));
        let prior = |s: &mut Spec| {
            autoencoder(s);
            s.objective.beta = 0.0;
            (s.network.classes, s.network.prior) = (Some(10), Prior::Learned { hidden: vec![100] });
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
        assert!(message(components(|s| s.network.hidden = Hidden::Linear(vec![9]))).contains("no layers"));
        assert!(message(components(|s| s.network.classes = Some(10))).contains("no labels"));
        assert!(message(components(|s| s.objective.likelihood = Likelihood::Bernoulli)).contains("squared error"));
        let learned = components(|s| s.objective.likelihood = Likelihood::gaussian_learned());
        assert!(message(learned).contains("one sigma"));
        assert!(message(components(|s| s.objective.beta = 1.0)).contains("no KL"));
        assert!(message(components(|s| s.data.binarize = Binarize::Static)).contains("no --binarize"));
        assert!(message(components(|s| s.data.range = [-1.0, 1.0])).contains("--input-range"));
    }
}
