//! How many sessions were connected by when, as an SVG picture.

use std::ops::Range;
use std::time::Duration;

use plotters::prelude::*;

use super::{Outcome, millis};

/// One curve for usable and one for selected paths of each setting, over the time on a logarithmic scale.
pub(super) fn svg(outcomes: &[Outcome]) -> Result<String, String> {
    let mut out = String::new();
    draw(&mut out, outcomes).map_err(|error| error.to_string())?;
    Ok(out)
}

fn draw(out: &mut String, outcomes: &[Outcome]) -> Result<(), Box<dyn std::error::Error>> {
    let curves: Vec<(String, Vec<(f64, f64)>)> = outcomes.iter().flat_map(curves_of).collect();
    let scale = scale(curves.iter().flat_map(|(_, points)| points.iter().map(|(time, _)| *time)));
    let area = SVGBackend::with_string(out, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("sessions connected", ("sans-serif", 20))
        .margin(15)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(scale.log_scale(), 0.0..100.0)?;
    chart
        .configure_mesh()
        .x_desc("milliseconds since the first candidate")
        .y_desc("% of all sessions")
        .x_label_formatter(&|time| format!("{time:.0}"))
        .y_label_formatter(&|share| format!("{share:.0}"))
        .draw()?;
    for (index, (name, points)) in curves.into_iter().enumerate() {
        let colour = COLOURS.get(index % COLOURS.len()).copied().unwrap_or(BLACK);
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// From the first time, but no less than a millisecond, to the last; ten times as much at the least, also where nobody has connected.
fn scale(times: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let first = times.clone().fold(f64::INFINITY, f64::min);
    let first = if first.is_finite() { first.max(1.0) } else { 1.0 };
    first..times.fold(first * 10.0, f64::max)
}

fn curves_of(outcome: &Outcome) -> [(String, Vec<(f64, f64)>); 2] {
    let connected = outcome.tally.connected();
    let all = outcome.tally.sessions();
    let curve = |times: &[Duration]| thinned(times, all);
    [
        (format!("usable, {}", outcome.name), curve(connected.all_usable())),
        (format!("selected, {}", outcome.name), curve(connected.all_selected())),
    ]
}

/// Points of the cumulative share: no more than a picture can show.
fn thinned(sorted: &[Duration], all: u64) -> Vec<(f64, f64)> {
    let step = sorted.len().div_ceil(POINTS).max(1);
    let last = sorted.len().saturating_sub(1);
    let shown = sorted.iter().enumerate().filter(|(rank, _)| rank % step == 0 || *rank == last);
    shown.map(|(rank, time)| (millis(*time), (rank + 1) as f64 * 100.0 / all as f64)).collect()
}

const SIZE: (u32, u32) = (800, 480);
const POINTS: usize = 1000;
/// Told apart by people of all kinds of sight, and in print.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_ends_at_the_share_that_connected_and_has_few_points() {
        let times: Vec<Duration> = (1..=5_000).map(Duration::from_millis).collect();
        let points = thinned(&times, 10_000);
        assert!(points.len() <= POINTS + 1);
        assert_eq!(points.first(), Some(&(1.0, 0.01)));
        assert_eq!(points.last(), Some(&(5_000.0, 50.0)));
        assert!(thinned(&[], 3).is_empty());
    }

    #[test]
    fn a_scale_has_an_end_whatever_there_is_to_show() {
        let nothing: [f64; 0] = [];
        assert_eq!(scale(nothing.into_iter()), 1.0..10.0);
        assert_eq!(scale([0.2, 0.4].into_iter()), 1.0..10.0);
        assert_eq!(scale([50.0, 2_000.0].into_iter()), 50.0..2_000.0);
    }
}
