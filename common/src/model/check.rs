//! What no network can be built of is refused by the name of its option, before anything is allocated for it.

use super::{Binarize, Bottleneck, Hidden, Likelihood, Network, Prior, Sigma, Spec};
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
            .or_else(|| self.components())
            .or_else(|| self.conditions())
            .or_else(|| self.loss())
            .or_else(|| self.run())
    }

    fn network(&self) -> Option<String> {
        let Network { image, ref hidden, latent, ref prior, .. } = self.network;
        let prior = match prior {
            Prior::Standard => &[][..],
            Prior::Learned { hidden } => hidden,
        };
        let widths = hidden.widths();
        let mut sizes =
            [image.height, image.width].into_iter().chain(widths).chain([latent]).chain(prior.iter().copied());
        if let Some(size) = sizes.find(|size| *size == 0 || *size > MOST) {
            return Some(format!(
                "the size of a layer or image is {size}: expected 1 to {MOST}; see --hidden, --conv and --latent"
            ));
        }
        if image.channels != 1 {
            return Some(format!("images of {image} have {} channels: expected 1", image.channels));
        }
        if image.values() > MOST {
            return Some(format!(
                "images of {image} pixels are too large: expected at most {MOST} pixels; make them smaller"
            ));
        }
        match hidden {
            Hidden::Conv(_) => self.convolutions(),
            Hidden::Linear(_) => None,
        }
    }

    fn convolutions(&self) -> Option<String> {
        let network = &self.network;
        let channels = network.hidden.widths().into_iter().max().unwrap_or(0);
        match network.convs().iter().map(|c| c.patch_len().max(c.kernel_area() * channels)).max() {
            None => Some("a convolutional network has no convolution: expected --conv N,N".into()),
            Some(most) if most > MOST || network.flat() > MOST => {
                Some(format!("--conv has layers of more than {MOST} values: expected fewer channels"))
            }
            _ => None,
        }
    }

    fn conditions(&self) -> Option<String> {
        let Some(classes) = self.network.classes else {
            return (self.network.prior != Prior::Standard)
                .then(|| "a learned prior is p(z given y): expected --classes".into());
        };
        if !(1..=CLASSES).contains(&classes) {
            return Some(format!("--classes is {classes}: expected 1 to {CLASSES}"));
        }
        (self.network.prior != Prior::Standard && !self.network.bottleneck.is_distribution())
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
        if !self.network.bottleneck.is_distribution() && (beta, objective.samples, warmup) != (0.0, 1, 0.0) {
            return Some(
                "an autoencoder has no KL and draws nothing: expected no --beta, --samples or --kl-warmup".into(),
            );
        }
        None
    }

    /// Principal components are of pixels as they are, and minimise the squared error.
    fn components(&self) -> Option<String> {
        let network = &self.network;
        if network.bottleneck != Bottleneck::Components {
            return None;
        }
        if !network.hidden.is_empty() || network.classes.is_some() {
            return Some("principal components have no layers and no labels: expected neither".into());
        }
        if network.latent > network.values() {
            let (latent, pixels) = (network.latent, network.values());
            return Some(format!("--latent is {latent}: expected at most {pixels} components, one for each pixel"));
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
    use crate::model::{Objective, Preset};
    use crate::plan::Activation;
    use vae_stream::images::ImageShape;

    fn message(change: impl Fn(&mut Spec)) -> String {
        let mut spec =
            Spec::new(Network::mlp(ImageShape::grey(28, 28), &[400], 20), Objective::new(Likelihood::Bernoulli));
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
        assert!(message(|s| s.network.hidden = Hidden::Linear(vec![400, 0])).contains("--hidden"));
        assert!(message(|s| s.network.latent = 1 << 40).contains("--latent"));
        assert!(
            message(|s| s.network.image = ImageShape::grey(1000, 1000)).contains("1000 x 1000 pixels are too large")
        );
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
