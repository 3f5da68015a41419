//! Which elements a browser would not show, by attribute, inline style and simple style-sheet rules.

use std::collections::HashSet;

use html5ever::tokenizer::Tag;

/// Elements whose content is never shown, or not as text of the page.
pub(super) fn is_hidden_element(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "template"
            | "noscript"
            | "iframe"
            | "object"
            | "svg"
            | "noembed"
            | "noframes"
            | "audio"
            | "video"
            | "canvas"
            | "datalist"
            | "applet"
            | "textarea"
            | "head"
            | "xml"
    )
}

/// The value of an attribute.
pub(super) fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    tag.attrs.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

/// Whether attributes or style hide an element; `on_background` says that something above it sets a background.
pub(super) fn hides(tag: &Tag, rules: &Rules, on_background: bool) -> bool {
    if attribute(tag, "hidden").is_some_and(|value| !value.eq_ignore_ascii_case("until-found")) {
        return true;
    }
    if &*tag.name == "dialog" && attribute(tag, "open").is_none() {
        return true;
    }
    let style = attribute(tag, "style").unwrap_or_default();
    if declares_hidden(style) || rules.matches(tag) {
        return true;
    }
    let font = if &*tag.name == "font" { attribute(tag, "color") } else { None };
    let color = color(style).or_else(|| font.map(normal_color));
    !on_background && !sets_background(tag) && color.is_some_and(|color| color == "#ffffff")
}

/// Whether an inline style hides what it is on, by itself or as white on the white of a page.
pub(crate) fn style_hides(style: &str) -> bool {
    let is_white = color(style).is_some_and(|color| color == "#ffffff");
    declares_hidden(style) || is_white && background(style).is_none()
}

/// Whether an element sets a background of its own.
pub(super) fn sets_background(tag: &Tag) -> bool {
    attribute(tag, "bgcolor").is_some() || attribute(tag, "style").is_some_and(|style| background(style).is_some())
}

/// The simple selectors of the page's style sheets whose rules hide.
#[derive(Default)]
pub(super) struct Rules {
    selectors: HashSet<String>,
}

impl Rules {
    /// Reads style sheets. Selectors other than `tag`, `.class`, `#id`, `tag.class`, `tag#id` are left alone.
    pub(super) fn new(css: &str) -> Self {
        let css = without_comments(css).to_ascii_lowercase();
        let mut rules = Self::default();
        let mut skipped_media = false;
        let mut rest = css.as_str();
        while let Some(open) = rest.find(['{', '}']) {
            let prelude = rest[..open].trim();
            let closes = rest.as_bytes()[open] == b'}';
            rest = &rest[open + 1..];
            if closes {
                skipped_media = false;
            } else if prelude.starts_with('@') {
                let media = prelude.strip_prefix("@media").unwrap_or_default();
                skipped_media = media.trim_start().starts_with("print");
            } else {
                let end = rest.find('}').unwrap_or(rest.len());
                if !skipped_media && declares_hidden(&rest[..end]) {
                    rules
                        .selectors
                        .extend(prelude.split(',').map(str::trim).filter(|part| is_simple(part)).map(str::to_owned));
                }
                rest = rest.get(end + 1..).unwrap_or_default();
            }
        }
        rules
    }

    fn matches(&self, tag: &Tag) -> bool {
        if self.selectors.is_empty() {
            return false;
        }
        let name = &*tag.name;
        let has = |selector: String| self.selectors.contains(&selector);
        let classes = attribute(tag, "class").unwrap_or_default().to_ascii_lowercase();
        let id = attribute(tag, "id").unwrap_or_default().to_ascii_lowercase();
        self.selectors.contains(name)
            || has(format!("#{id}"))
            || has(format!("{name}#{id}"))
            || classes.split_ascii_whitespace().any(|class| has(format!(".{class}")) || has(format!("{name}.{class}")))
    }
}

fn is_simple(selector: &str) -> bool {
    let marks = selector.bytes().filter(|byte| *byte == b'.' || *byte == b'#').count();
    let plain =
        selector.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.#".contains(&byte) || !byte.is_ascii());
    !selector.is_empty() && plain && marks <= 1 && !matches!(selector, "html" | "body" | "." | "#")
}

fn without_comments(css: &str) -> String {
    let mut kept = String::with_capacity(css.len());
    let mut rest = css;
    while let Some(open) = rest.find("/*") {
        kept.push_str(&rest[..open]);
        rest = rest[open + 2..].find("*/").map_or("", |close| &rest[open + 4 + close..]);
    }
    kept.push_str(rest);
    kept
}

/// Whether declarations keep their element out of sight.
fn declares_hidden(style: &str) -> bool {
    if style.is_empty() {
        return false;
    }
    let style = without_comments(style).to_ascii_lowercase();
    let pairs: Vec<(&str, &str)> = declarations(&style).collect();
    let clipped = pairs.iter().any(|(name, value)| {
        name.starts_with("overflow") && (value.starts_with("hidden") || value.starts_with("clip"))
    });
    let placed =
        pairs.iter().any(|(name, value)| *name == "position" && matches!(*value, "absolute" | "fixed" | "relative"));
    if pairs.iter().any(|(name, value)| hides_by_itself(name, value, clipped, placed)) {
        return true;
    }
    let text = color(&style);
    text.is_some() && text == background(&style)
}

fn hides_by_itself(name: &str, value: &str, clipped: bool, placed: bool) -> bool {
    match name {
        "display" => value == "none",
        "visibility" => value == "hidden" || value == "collapse",
        "content-visibility" => value == "hidden",
        "opacity" => number(value).is_some_and(|opacity| opacity <= 0.05),
        "font-size" => number(value).is_some_and(|size| {
            size <= 0.1 || (size <= 1.0 && value.ends_with("px")) || (size <= 1.0 && value.ends_with("pt"))
        }),
        "font" => value.split_whitespace().any(|part| part.starts_with("0px") || part.starts_with("0/") || part == "0"),
        "color" => is_transparent(value),
        "left" | "right" | "top" | "bottom" => placed && number(value).is_some_and(|offset| offset <= -500.0),
        "text-indent" | "margin-left" | "margin-top" => number(value).is_some_and(|offset| offset <= -500.0),
        "clip" => value.starts_with("rect(0") || value.starts_with("rect(1px"),
        "clip-path" => value.contains("inset(50%") || value.contains("inset(100%") || value.contains("circle(0"),
        "transform" => ["scale(0)", "scale(0,", "scalex(0)", "scaley(0)", "translatex(-9", "translate(-9"]
            .iter()
            .any(|form| value.contains(form)),
        "width" | "height" | "max-height" | "max-width" => {
            clipped && number(value).is_some_and(|size| size <= 1.0) && !value.ends_with("em")
        }
        _ => false,
    }
}

fn declarations(style: &str) -> impl Iterator<Item = (&str, &str)> {
    style.split(';').filter_map(|declaration| {
        let (name, value) = declaration.split_once(':')?;
        Some((name.trim(), value.trim().trim_end_matches("!important").trim()))
    })
}

fn number(value: &str) -> Option<f64> {
    let end = value.bytes().take_while(|byte| byte.is_ascii_digit() || b"+-.".contains(byte)).count();
    value[..end].parse().ok()
}

fn is_transparent(value: &str) -> bool {
    let compact: String = value.split_whitespace().collect();
    let no_alpha = ["rgba(", "hsla(", "rgb("].iter().any(|function| compact.starts_with(function))
        && (compact.ends_with(",0)")
            || compact.ends_with("/0)")
            || compact.ends_with(",0.0)")
            || compact.ends_with("/0%)"));
    let hex_alpha = compact.starts_with('#')
        && (compact.len() == 9 && compact.ends_with("00") || compact.len() == 5 && compact.ends_with('0'));
    compact == "transparent"
        || (no_alpha
            && compact.matches([',', '/']).count()
                >= if compact.starts_with("rgb(") && !compact.contains('/') { 3 } else { 1 })
        || hex_alpha
}

fn color(style: &str) -> Option<String> {
    let style = style.to_ascii_lowercase();
    declarations(&style).filter(|(name, _)| *name == "color").last().map(|(_, value)| normal_color(value))
}

fn background(style: &str) -> Option<String> {
    let style = style.to_ascii_lowercase();
    let found = declarations(&style)
        .filter(|(name, _)| matches!(*name, "background" | "background-color" | "background-image"));
    found.last().map(|(_, value)| normal_color(value))
}

/// One spelling for the colours that occur in attempts to hide text.
fn normal_color(value: &str) -> String {
    let compact: String = value.to_ascii_lowercase().split_whitespace().collect();
    match compact.as_str() {
        "white" | "#fff" | "rgb(255,255,255)" | "rgba(255,255,255,1)" | "#fffffe" | "#fefefe" | "hsl(0,0%,100%)" => {
            "#ffffff".to_owned()
        }
        "black" | "#000" | "rgb(0,0,0)" | "rgba(0,0,0,1)" => "#000000".to_owned(),
        short if short.len() == 4 && short.starts_with('#') => {
            let doubled = short[1..].chars().flat_map(|digit| [digit, digit]);
            std::iter::once('#').chain(doubled).collect()
        }
        other => other.to_owned(),
    }
}
