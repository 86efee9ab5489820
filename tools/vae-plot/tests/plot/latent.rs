//! `vae-plot latent`: what is drawn.

use ndarray::Array2;

use super::{count, latents, points, svg, texts};

/// The colours of the points of an SVG, in order; annotations have a border, and markers of the legend are larger.
fn dots(svg: &str) -> Vec<&str> {
    let dots = svg
        .lines()
        .filter(|line| line.contains("<circle ") && line.contains("fill-opacity") && !line.contains("stroke"));
    dots.map(|dot| dot.split(r#"fill=""#).nth(1).unwrap().split('"').next().unwrap()).collect()
}

#[test]
fn each_item_is_a_point_in_the_colour_of_its_label() {
    let y = [3, 8, 3, 3, 8, 8, 3, 3, 3, 8];
    let svg = svg("latent", &latents(&points(10, 2), Some(&y)), &[]);
    let expected: Vec<&str> = y.iter().map(|y| if *y == 3 { "#94a4a2" } else { "#717581" }).collect();
    assert_eq!(dots(&svg), expected);
    assert!(texts(&svg).contains(&"z [0]") && texts(&svg).contains(&"z [1]"), "{:?}", texts(&svg));
}

#[test]
fn the_legend_names_each_label_and_so_does_an_annotation_among_its_points() {
    let y: Vec<u8> = (0..40).map(|n| n % 10).collect();
    let svg = svg("latent", &latents(&points(40, 2), Some(&y)), &[]);
    for label in 0..10 {
        let label = label.to_string();
        assert!(texts(&svg).iter().filter(|text| **text == label).count() >= 2, "{label} in {:?}", texts(&svg));
    }
    assert_eq!(dots(&svg).len(), 40);
    assert_eq!(count(&svg, "<circle "), 40 + 10 + 10);
}

#[test]
fn latents_without_labels_are_points_of_one_colour_without_a_legend() {
    let svg = svg("latent", &latents(&points(10, 2), None), &[]);
    assert_eq!((dots(&svg), count(&svg, "<circle ")), (vec!["#3f90da"; 10], 10));
}

#[test]
fn two_dimensions_can_be_chosen() {
    let (z, y) = (points(10, 5), [1; 10]);
    let chosen = svg("latent --dims 3,1", &latents(&z, Some(&y)), &[]);
    assert!(texts(&chosen).contains(&"z [3]") && texts(&chosen).contains(&"z [1]"), "{:?}", texts(&chosen));
    let same = Array2::from_shape_fn((10, 2), |(n, k)| z[[n, [3, 1][k]]]);
    let places = |svg: &str| -> Vec<String> {
        svg.lines().filter(|line| line.contains("fill-opacity")).map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(places(&chosen), places(&svg("latent", &latents(&same, Some(&y)), &[])));
}

#[test]
fn more_dimensions_are_projected_on_two_principal_components_and_their_shares_told() {
    // The first dimension varies most, and then the third.
    let z = Array2::from_shape_fn((8, 3), |(n, k)| match k {
        0 => [-3.0, 3.0][n % 2],
        2 => [-1.0, 1.0][n / 2 % 2],
        _ => 0.0,
    });
    let svg = svg("latent", &latents(&z, None), &[]);
    for axis in ["principal component 1 (90 % of the variance)", "principal component 2 (10 % of the variance)"] {
        assert!(texts(&svg).contains(&axis), "{:?}", texts(&svg));
    }
    assert_eq!(dots(&svg).len(), 8);
}

#[test]
fn another_tensor_can_colour_and_others_be_shown() {
    let lines: String = (0..4).map(|n| format!("{{\"mu\":[{n}.5,1.0],\"kind\":{}}}\n", n + 100)).collect();
    let svg = svg("latent --tensor mu --by kind", lines.as_bytes(), &[]);
    assert!(texts(&svg).contains(&"mu [0]") && texts(&svg).contains(&"103"), "{:?}", texts(&svg));
}

#[test]
fn many_labels_have_a_legend_of_some() {
    let y: Vec<u8> = (0..47).collect();
    let svg = svg("latent", &latents(&points(47, 2), Some(&y)), &[]);
    let colours: std::collections::BTreeSet<_> = dots(&svg).into_iter().collect();
    assert_eq!((colours.len(), count(&svg, "<circle ")), (47, 47 + 16));
}

#[test]
fn npy_and_newline_json_are_read_too() {
    let z = points(6, 2);
    let npy = vae_stream::Tensor::from_array(&z);
    let lines: String = z.rows().into_iter().map(|row| format!("{{\"z\":[{:?},{:?}]}}\n", row[0], row[1])).collect();
    let expected = svg("latent", &latents(&z, None), &[]);
    assert_eq!(svg("latent", npy.bytes(), &[]), expected);
    assert_eq!(svg("latent", lines.as_bytes(), &[]), expected);
}

#[test]
fn points_that_all_lie_in_one_place_are_drawn() {
    let svg = svg("latent", &latents(&Array2::from_elem((5, 4), 0.5), Some(&[1, 1, 2, 2, 2])), &[]);
    assert_eq!(dots(&svg).len(), 5);
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}
