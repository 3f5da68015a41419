//! Filters (RFC 7644, 3.4.2.2): parsed against a schema, so that a misspelt attribute is told rather than found in nobody.

use serde_json::Value;

use super::{
    Fault, Resource, ScimError, folded,
    lexer::{Token, tokens},
    path::{AttributePath, Named},
    schema::{Attribute, Kind, ResourceType},
};
use crate::acl_form::parse_time;

/// How deep parentheses and brackets may be nested.
const DEPTH_MAX: usize = 16;
/// The most comparisons of one filter.
const TERMS_MAX: usize = 64;

/// A condition on a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// An attribute against a value.
    Compare(Term, Operator, Value),
    /// An attribute has a value.
    Present(Term),
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// One of them holds.
    Or(Box<Self>, Box<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// One element of a multi-valued attribute fulfils it.
    Element(AttributePath, Box<Self>),
    /// An attribute that nothing here has.
    Nothing,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    place: Place,
    kind: Kind,
    case_exact: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// An attribute of the resource.
    Resource(AttributePath),
    /// A part of an element, inside brackets; `None` for the element itself.
    Element(Option<String>),
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

impl Operator {
    fn of(word: &str) -> Option<Self> {
        let operators = [
            ("eq", Self::Eq),
            ("ne", Self::Ne),
            ("co", Self::Co),
            ("sw", Self::Sw),
            ("ew", Self::Ew),
            ("gt", Self::Gt),
            ("ge", Self::Ge),
            ("lt", Self::Lt),
            ("le", Self::Le),
        ];
        operators.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, operator)| operator)
    }

    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Ne => left != right,
            Self::Gt => left > right,
            Self::Ge => left >= right,
            Self::Lt => left < right,
            Self::Le => left <= right,
            Self::Co | Self::Sw | Self::Ew => false,
        }
    }

    const fn is_of_texts(self) -> bool {
        matches!(self, Self::Co | Self::Sw | Self::Ew)
    }

    const fn is_of_order(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }
}

impl Filter {
    /// Reads a filter on resources of this type.
    ///
    /// # Errors
    /// [`Fault::InvalidFilter`] for one that is not well-formed, too large, or names what there is not.
    pub fn parse(text: &str, of: &ResourceType) -> Result<Self, ScimError> {
        let mut parser = Parser::new(tokens(text, Fault::InvalidFilter)?, of, None);
        let filter = parser.any(0)?;
        if parser.is_done() { Ok(filter) } else { Err(malformed()) }
    }

    /// Reads a filter on the elements of an attribute; the words end with the closing bracket.
    pub(super) fn of_elements(tokens: Vec<Token>, of: &ResourceType, attribute: &Attribute) -> Result<Self, ScimError> {
        let mut parser = Parser::new(tokens, of, Some(attribute));
        let filter = parser.any(1)?;
        if parser.is_done() { Ok(filter) } else { Err(malformed()) }
    }

    /// Whether it holds for a resource.
    #[must_use]
    pub fn matches(&self, resource: &Resource) -> bool {
        self.holds(Some(resource), None)
    }

    /// Whether it holds for an element of a multi-valued attribute.
    pub(super) fn matches_element(&self, element: &Value) -> bool {
        self.holds(None, Some(element))
    }

    fn holds(&self, resource: Option<&Resource>, element: Option<&Value>) -> bool {
        match self {
            Self::Compare(term, operator, value) => term.compare(*operator, value, &term.values(resource, element)),
            Self::Present(term) => term.values(resource, element).iter().any(|value| is_present(value)),
            Self::And(left, right) => left.holds(resource, element) && right.holds(resource, element),
            Self::Or(left, right) => left.holds(resource, element) || right.holds(resource, element),
            Self::Not(inner) => !inner.holds(resource, element),
            Self::Element(path, inner) => {
                let elements = resource.map(|resource| path.values(resource)).unwrap_or_default();
                elements.into_iter().any(|element| inner.holds(resource, Some(element)))
            }
            Self::Nothing => false,
        }
    }

    /// The text that an attribute of the resource must equal for the filter to hold, where that is all it says or a part of what must hold: what an index can look up.
    #[must_use]
    pub fn demands(&self, attribute: &str) -> Option<&str> {
        match self {
            Self::Compare(Term { place: Place::Resource(path), .. }, Operator::Eq, Value::String(text)) => {
                let is_asked = path.extension.is_none() && path.part.is_none();
                (is_asked && path.attribute.as_deref() == Some(attribute)).then_some(text)
            }
            Self::And(left, right) => left.demands(attribute).or_else(|| right.demands(attribute)),
            _ => None,
        }
    }

    /// Whether it looks at an attribute of the core.
    #[must_use]
    pub fn mentions(&self, attribute: &str) -> bool {
        let is_it = |path: &AttributePath| path.extension.is_none() && path.attribute.as_deref() == Some(attribute);
        match self {
            Self::Compare(Term { place, .. }, ..) | Self::Present(Term { place, .. }) => {
                matches!(place, Place::Resource(path) if is_it(path))
            }
            Self::And(left, right) | Self::Or(left, right) => left.mentions(attribute) || right.mentions(attribute),
            Self::Not(inner) => inner.mentions(attribute),
            Self::Element(path, _) => is_it(path),
            Self::Nothing => false,
        }
    }

    /// The parts that an element must have for the filter to hold, where it says no more than that: what a new element is made of.
    pub(super) fn template(&self) -> Option<Vec<(String, Value)>> {
        match self {
            Self::Compare(Term { place: Place::Element(Some(part)), .. }, Operator::Eq, value) => {
                Some(vec![(part.clone(), value.clone())])
            }
            Self::And(left, right) => {
                let mut parts = left.template()?;
                parts.extend(right.template()?);
                Some(parts)
            }
            _ => None,
        }
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

impl Term {
    fn values<'a>(&self, resource: Option<&'a Resource>, element: Option<&'a Value>) -> Vec<&'a Value> {
        match (&self.place, resource, element) {
            (Place::Resource(path), Some(resource), _) => path.values(resource),
            (Place::Element(Some(part)), _, Some(element)) => element.get(part).into_iter().collect(),
            (Place::Element(None), _, Some(element)) => vec![element],
            _ => Vec::new(),
        }
    }

    /// Of several values one is enough; for `ne`, none may be equal.
    fn compare(&self, operator: Operator, wanted: &Value, found: &[&Value]) -> bool {
        if operator == Operator::Ne {
            return !self.compare(Operator::Eq, wanted, found);
        }
        if wanted.is_null() {
            return operator == Operator::Eq && !found.iter().any(|value| is_present(value));
        }
        found.iter().any(|value| self.compare_one(operator, wanted, value))
    }

    fn compare_one(&self, operator: Operator, wanted: &Value, found: &Value) -> bool {
        match (found, wanted) {
            (Value::String(found), Value::String(wanted)) if self.kind == Kind::DateTime => {
                match (parse_time(found), parse_time(wanted)) {
                    (Some(found), Some(wanted)) => operator.holds(&found, &wanted),
                    _ => false,
                }
            }
            (Value::String(found), Value::String(wanted)) if self.case_exact => texts(operator, found, wanted),
            (Value::String(found), Value::String(wanted)) => texts(operator, &folded(found), &folded(wanted)),
            (Value::Bool(found), Value::Bool(wanted)) => operator.holds(found, wanted),
            (Value::Number(found), Value::Number(wanted)) => match (found.as_i64(), wanted.as_i64()) {
                (Some(found), Some(wanted)) => operator.holds(&found, &wanted),
                _ => found.as_f64().zip(wanted.as_f64()).is_some_and(|(found, wanted)| operator.holds(&found, &wanted)),
            },
            _ => false,
        }
    }
}

fn texts(operator: Operator, found: &str, wanted: &str) -> bool {
    match operator {
        Operator::Co => found.contains(wanted),
        Operator::Sw => found.starts_with(wanted),
        Operator::Ew => found.ends_with(wanted),
        other => other.holds(&found, &wanted),
    }
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    of: &'a ResourceType,
    /// Inside brackets, the attribute before them.
    inside: Option<&'a Attribute>,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn new(tokens: Vec<Token>, of: &'a ResourceType, inside: Option<&'a Attribute>) -> Self {
        Self { tokens: tokens.into_iter().peekable(), of, inside, terms: 0 }
    }

    fn is_done(&mut self) -> bool {
        self.tokens.peek().is_none()
    }

    /// `or` binds least.
    fn any(&mut self, depth: usize) -> Result<Filter, ScimError> {
        if depth > DEPTH_MAX {
            return Err(ScimError::new(Fault::InvalidFilter, "the filter is nested too deeply"));
        }
        let mut filter = self.all(depth)?;
        while self.takes("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.all(depth)?));
        }
        Ok(filter)
    }

    fn all(&mut self, depth: usize) -> Result<Filter, ScimError> {
        let mut filter = self.one(depth)?;
        while self.takes("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.one(depth)?));
        }
        Ok(filter)
    }

    fn one(&mut self, depth: usize) -> Result<Filter, ScimError> {
        if self.takes("not") {
            if self.tokens.next() != Some(Token::Open) {
                return Err(malformed());
            }
            return Ok(Filter::Not(Box::new(self.closed(depth)?)));
        }
        match self.tokens.next() {
            Some(Token::Open) => self.closed(depth),
            Some(Token::Word(name)) => self.term(&name, depth),
            _ => Err(malformed()),
        }
    }

    /// What stands between an opening and its closing parenthesis.
    fn closed(&mut self, depth: usize) -> Result<Filter, ScimError> {
        let filter = self.any(depth + 1)?;
        if self.tokens.next() == Some(Token::Close) { Ok(filter) } else { Err(malformed()) }
    }

    fn term(&mut self, name: &str, depth: usize) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > TERMS_MAX {
            return Err(ScimError::new(Fault::InvalidFilter, format_args!("a filter has at most {TERMS_MAX} terms")));
        }
        if self.tokens.peek() == Some(&Token::OpenBracket) {
            self.tokens.next();
            return self.element(name, depth);
        }
        let term = match self.inside {
            Some(attribute) => Some(inside(attribute, name)?),
            None => self.of_resource(name)?,
        };
        let Some(Token::Word(word)) = self.tokens.next() else { return Err(malformed()) };
        if word.eq_ignore_ascii_case("pr") {
            return Ok(term.map_or(Filter::Nothing, Filter::Present));
        }
        let operator =
            Operator::of(&word).ok_or_else(|| ScimError::new(Fault::InvalidFilter, "there is no such operator"))?;
        let Some(Token::Value(value)) = self.tokens.next() else { return Err(malformed()) };
        let Some(term) = term else { return Ok(Filter::Nothing) };
        check(&term, operator, &value)?;
        Ok(Filter::Compare(term, operator, value))
    }

    /// `emails[type eq "work"]`.
    fn element(&mut self, name: &str, depth: usize) -> Result<Filter, ScimError> {
        let fault = || ScimError::new(Fault::InvalidFilter, "brackets follow an attribute of several values only");
        if self.inside.is_some() {
            return Err(fault());
        }
        let path = match AttributePath::parse(name, self.of, Fault::InvalidFilter)? {
            Named::Known(path) => path,
            Named::Dropped => return Err(fault()),
        };
        let attribute = path.declaration(self.of).filter(|attribute| attribute.kind == Kind::Complex);
        self.inside = Some(attribute.ok_or_else(fault)?);
        let filter = self.any(depth + 1)?;
        self.inside = None;
        if self.tokens.next() != Some(Token::CloseBracket) {
            return Err(malformed());
        }
        Ok(Filter::Element(path, Box::new(filter)))
    }

    /// `None` for an attribute that is never kept.
    fn of_resource(&self, name: &str) -> Result<Option<Term>, ScimError> {
        let Named::Known(mut path) = AttributePath::parse(name, self.of, Fault::InvalidFilter)? else {
            return Ok(None);
        };
        let unknown = || ScimError::new(Fault::InvalidFilter, "a filter compares attributes");
        let mut declared = path.declaration(self.of).ok_or_else(unknown)?;
        if declared.kind == Kind::Complex
            && let Some(value) = declared.part("value")
        {
            // `emails co "x"` asks for the addresses.
            path.part = Some("value".to_owned());
            declared = value;
        }
        let (kind, case_exact) = (declared.kind, declared.case_exact);
        Ok(Some(Term { place: Place::Resource(path), kind, case_exact }))
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        if found {
            self.tokens.next();
        }
        found
    }
}

fn inside(attribute: &Attribute, name: &str) -> Result<Term, ScimError> {
    let part = attribute.part(name).ok_or_else(|| {
        ScimError::new(Fault::InvalidFilter, format_args!("`{}` has no part of that name", attribute.name))
    })?;
    let place = Place::Element(Some(part.name.to_string()));
    Ok(Term { place, kind: part.kind, case_exact: part.case_exact })
}

/// Refuses what cannot be compared.
fn check(term: &Term, operator: Operator, value: &Value) -> Result<(), ScimError> {
    let is_text = matches!(term.kind, Kind::String | Kind::Reference | Kind::DateTime);
    let fits = match (term.kind, value) {
        (_, Value::Null) => matches!(operator, Operator::Eq | Operator::Ne),
        (Kind::Boolean, Value::Bool(_)) => !operator.is_of_order() && !operator.is_of_texts(),
        (Kind::Integer, Value::Number(_)) => !operator.is_of_texts(),
        (_, Value::String(text)) if is_text => {
            term.kind != Kind::DateTime || operator.is_of_texts() || parse_time(text).is_some()
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(ScimError::new(Fault::InvalidFilter, "compares an attribute with what it never is")) }
}

fn malformed() -> ScimError {
    ScimError::new(Fault::InvalidFilter, "the filter is not well-formed")
}
