//! Numbers as people read them: three digits that matter, and a unit. Pure.

/// A length of time: `87.3 µs`, `1.25 ms`, `3.02 s`.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        value if value < 999.5 => format!("{value:.0} ns"),
        value if value < 999.5e3 => format!("{} µs", three_digits(value / 1e3)),
        value if value < 999.5e6 => format!("{} ms", three_digits(value / 1e6)),
        value => format!("{} s", three_digits(value / 1e9)),
    }
}

/// A number of bytes: `8 MiB`, `47.1 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    for unit in units {
        if value < 999.5 || unit == "TiB" {
            let text = three_digits(value);
            let text = if value.fract() == 0.0 { format!("{value:.0}") } else { text };
            return format!("{text} {unit}");
        }
        value /= 1_024.0;
    }
    String::new()
}

/// A number of things per second, with separators: `12,345`. Below ten, with a decimal place.
pub(crate) fn rate(value: f64) -> String {
    if value < 9.95 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The same in at most five columns: `812`, `5.21k`, `182k`, `1.04M`.
pub(crate) fn compact(value: f64) -> String {
    match value {
        value if value < 9.95 => format!("{value:.1}"),
        value if value < 999.5 => format!("{value:.0}"),
        value if value < 999.5e3 => format!("{}k", three_digits(value / 1e3)),
        value => format!("{}M", three_digits(value / 1e6)),
    }
}

/// How many times as much: `1.42`, `11`.
pub(crate) fn ratio(value: f64) -> String {
    if value < 9.95 { format!("{value:.2}") } else { format!("{value:.0}") }
}

/// A round number of such a text without the zeros that say nothing: `1.00k` is `1k`.
pub(crate) fn trimmed(text: &str) -> String {
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    match text.split_at(end) {
        (number, unit) if number.contains('.') => {
            format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text.to_owned(),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        value if value < 9.995 => format!("{value:.2}"),
        value if value < 99.95 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}
