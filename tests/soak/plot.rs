//! Two series over the requests, as text and as a picture.

use std::fmt::Write;

const WIDTH: usize = 60;
const HEIGHT: usize = 15;

/// `1` and `2` are the servers, and `#` is both.
pub(crate) fn text(series: &[Vec<u64>; 2]) -> String {
    let series = series.each_ref().map(|samples| columns(samples));
    let top = top(&series);
    let mut rows = vec![[b' '; WIDTH]; HEIGHT];
    for (number, samples) in series.iter().enumerate() {
        for (column, sample) in samples.iter().enumerate() {
            let row = sample * HEIGHT as u64 / (top + 1);
            let row = usize::try_from(row).expect("below the height");
            let cell = &mut rows[HEIGHT - 1 - row][column];
            *cell = match *cell {
                b' ' => b"12"[number],
                _ => b'#',
            };
        }
    }
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let level = (HEIGHT - number) as u64 * top / HEIGHT as u64 / 1024;
        let row = String::from_utf8_lossy(row);
        let _ = writeln!(text, "{level:>5} MiB |{row}");
    }
    let _ = write!(text, "{:>11}{}> requests", "+", "-".repeat(WIDTH));
    text
}

/// The least of the samples that share a column: the verification of a password takes 19 MiB for a moment.
fn columns(samples: &[u64]) -> Vec<u64> {
    let at = |column: usize| column * samples.len() / WIDTH;
    let shared = (0..WIDTH).map(|column| &samples[at(column)..at(column + 1)]);
    shared
        .filter_map(|shared| shared.iter().min().copied())
        .collect()
}

pub(crate) fn svg(series: &[Vec<u64>; 2]) -> String {
    let top = top(series);
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-70 -20 900 460" font-family="sans-serif" font-size="14">
<rect x="-70" y="-20" width="900" height="460" fill="#fff"/>
"##,
    );
    for part in 0..=4 {
        let (y, level) = (400 - part * 100, top * part / 4 / 1024);
        let _ = writeln!(
            svg,
            r##"<path d="M0 {y}H800" stroke="#ccc"/><text x="-8" y="{y}" text-anchor="end">{level} MiB</text>"##
        );
    }
    for (samples, colour) in series.iter().zip(["#06c", "#c60"]) {
        let _ = write!(svg, r#"<polyline fill="none" stroke="{colour}" points=""#);
        for (at, sample) in samples.iter().enumerate() {
            let x = at * 800 / samples.len();
            let y = 400 - sample * 400 / top;
            let _ = write!(svg, "{x},{y} ");
        }
        svg.push_str("\"/>\n");
    }
    svg.push_str(
        "<text x=\"800\" y=\"425\" text-anchor=\"end\">requests, all of them</text>\n</svg>\n",
    );
    svg
}

/// Above all samples.
fn top(series: &[Vec<u64>; 2]) -> u64 {
    let highest = series.iter().flatten().max().copied().unwrap_or_default();
    highest * 11 / 10 + 1
}
