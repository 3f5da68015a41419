//! The interpreter of content streams: where each string stands, and whether a person sees it.

use std::{collections::HashMap, rc::Rc};

use lopdf::{Dictionary, Document, Object, ObjectId};

use super::{
    Budget,
    color::Space,
    font::{Font, number},
    geometry::{Matrix, Rectangle},
    layers::Layers,
    lexer::{Lexer, Token},
    lines::Piece,
    operand::{Operand, matrix, matrix_of, mode, number_at, rectangle_of},
    paint::Canvas,
    state::State,
};
use crate::{fault::Fault, prepare::PrepareError};

/// Forms in forms.
const FORM_DEPTH_MAX: usize = 16;
const STATES_MAX: usize = 512;
const OPERANDS_MAX: usize = 64;
const ARRAY_MAX: usize = 65_536;
/// Letters smaller than this cannot be seen (points on the page).
const SIZE_MIN: f64 = 1.0;
const OPACITY_MIN: f64 = 0.08;

/// Fonts by their object, for the whole document.
pub(super) type Fonts = HashMap<ObjectId, Rc<Font>>;

/// A page while its streams are run.
pub(super) struct Interpreter<'a> {
    document: &'a Document,
    layers: &'a Layers,
    fonts: &'a mut Fonts,
    budget: &'a mut Budget,
    canvas: &'a mut Canvas,
    state: State,
    saved: Vec<State>,
    text: Matrix,
    line: Matrix,
    /// Open marked content, and whether each hides.
    marks: Vec<bool>,
    path: Rectangle,
    is_rectangle: bool,
    clips_next: bool,
}

impl<'a> Interpreter<'a> {
    pub(super) const fn new(
        document: &'a Document,
        layers: &'a Layers,
        fonts: &'a mut Fonts,
        budget: &'a mut Budget,
        canvas: &'a mut Canvas,
    ) -> Self {
        Self {
            document,
            layers,
            fonts,
            budget,
            canvas,
            state: State::new(Matrix::IDENTITY),
            saved: Vec::new(),
            text: Matrix::IDENTITY,
            line: Matrix::IDENTITY,
            marks: Vec::new(),
            path: Rectangle::EMPTY,
            is_rectangle: false,
            clips_next: false,
        }
    }

    /// Runs a stream under a matrix.
    pub(super) fn run_under(
        &mut self,
        matrix: Matrix,
        content: &[u8],
        resources: Option<&'a Dictionary>,
    ) -> Result<(), PrepareError> {
        self.state = State::new(matrix);
        self.run(content, resources, 0)
    }

    fn run(&mut self, content: &[u8], resources: Option<&'a Dictionary>, depth: usize) -> Result<(), PrepareError> {
        let (saved, marks) = (self.saved.len(), self.marks.len());
        let mut operands: Vec<Operand> = Vec::new();
        let mut array: Option<Vec<Operand>> = None;
        let mut lexer = Lexer::new(content);
        while let Some(token) = lexer.next() {
            let operand = match token {
                Token::Operator(operator) => {
                    self.budget.operator()?;
                    array = None;
                    if operator == b"ID" {
                        lexer.skip_image();
                        self.canvas.paint_image(
                            Rectangle { left: 0.0, bottom: 0.0, right: 1.0, top: 1.0 }.mapped(self.state.matrix),
                        );
                    } else {
                        self.operate(&operator, &operands, resources, depth)?;
                    }
                    operands.clear();
                    continue;
                }
                Token::Number(value) => Operand::Number(value),
                Token::Name(name) => Operand::Name(name),
                Token::String(string) => Operand::String(string),
                Token::ArrayOpen => {
                    array = Some(Vec::new());
                    continue;
                }
                Token::ArrayClose => match array.take() {
                    Some(array) => Operand::Array(array),
                    None => continue,
                },
                Token::DictionaryOpen | Token::DictionaryClose => continue,
            };
            match &mut array {
                Some(array) if array.len() < ARRAY_MAX => array.push(operand),
                Some(_) => {}
                None if operands.len() < OPERANDS_MAX => operands.push(operand),
                None => {}
            }
        }
        if let Some(state) = self.saved.get(saved) {
            self.state = state.clone();
            self.saved.truncate(saved);
        }
        self.marks.truncate(marks);
        Ok(())
    }

    /// Unpacks a stream at the cost of the document.
    pub(super) fn unpack(&mut self, stream: &lopdf::Stream) -> Result<Vec<u8>, PrepareError> {
        self.budget.unpack(stream)
    }

    fn operate(
        &mut self,
        operator: &[u8],
        operands: &[Operand],
        resources: Option<&'a Dictionary>,
        depth: usize,
    ) -> Result<(), PrepareError> {
        match operator {
            b"q" if self.saved.len() < STATES_MAX => self.saved.push(self.state.clone()),
            b"q" => return Err(PrepareError::Unparseable(Fault::TooDeep)),
            b"Q" => {
                if let Some(state) = self.saved.pop() {
                    self.state = state;
                }
            }
            b"cm" => {
                if let Some(matrix) = matrix(operands) {
                    self.state.matrix = matrix.then(self.state.matrix);
                }
            }
            b"gs" => self.extended_state(operands, resources),
            b"Do" => self.paint_object(operands, resources, depth)?,
            b"sh" => {
                let everywhere = Rectangle::from_corners((-1e6, -1e6), (1e6, 1e6));
                self.canvas.paint_image(self.state.clip.unwrap_or(everywhere));
            }
            b"BMC" => self.mark(false),
            b"BDC" => {
                let hides = self.is_hidden_layer(operands, resources);
                self.mark(hides);
            }
            b"EMC" => drop(self.marks.pop()),
            _ => self.operate_text(operator, operands, resources)?,
        }
        Ok(())
    }

    fn operate_text(
        &mut self,
        operator: &[u8],
        operands: &[Operand],
        resources: Option<&'a Dictionary>,
    ) -> Result<(), PrepareError> {
        let value = |index: usize| number_at(operands, index);
        match operator {
            b"BT" => (self.text, self.line) = (Matrix::IDENTITY, Matrix::IDENTITY),
            b"Tf" => {
                if let Some(Operand::Name(name)) = operands.first() {
                    self.state.font = self.font(name, resources);
                }
                self.state.size = value(1);
            }
            b"Tc" => self.state.character_spacing = value(0),
            b"Tw" => self.state.word_spacing = value(0),
            b"Tz" => self.state.stretch = value(0) / 100.0,
            b"TL" => self.state.leading = value(0),
            b"Ts" => self.state.rise = value(0),
            b"Tr" => self.state.mode = if (0.0..8.0).contains(&value(0)) { mode(value(0)) } else { 0 },
            b"Td" => self.next_line(value(0), value(1)),
            b"TD" => {
                self.state.leading = -value(1);
                self.next_line(value(0), value(1));
            }
            b"Tm" => {
                if let Some(matrix) = matrix(operands) {
                    (self.text, self.line) = (matrix, matrix);
                }
            }
            b"T*" => self.next_line(0.0, -self.state.leading),
            b"Tj" => self.show(operands.first())?,
            b"'" => {
                self.next_line(0.0, -self.state.leading);
                self.show(operands.first())?;
            }
            b"\"" => {
                self.state.word_spacing = value(0);
                self.state.character_spacing = value(1);
                self.next_line(0.0, -self.state.leading);
                self.show(operands.get(2))?;
            }
            b"TJ" => {
                let Some(Operand::Array(array)) = operands.first() else { return Ok(()) };
                for operand in array {
                    match operand {
                        Operand::Number(shift) => self.shift(-shift / 1000.0 * self.state.size),
                        other => self.show(Some(other))?,
                    }
                }
            }
            _ => self.operate_paint(operator, operands, resources),
        }
        Ok(())
    }

    fn operate_paint(&mut self, operator: &[u8], operands: &[Operand], resources: Option<&'a Dictionary>) {
        let numbers = || operands.iter().filter_map(Operand::number).collect::<Vec<f64>>();
        let fixed = |space: Space| (space, space.color(&numbers()));
        match operator {
            b"g" => (self.state.fill.space, self.state.fill.color) = fixed(Space::Gray),
            b"rg" => (self.state.fill.space, self.state.fill.color) = fixed(Space::Rgb),
            b"k" => (self.state.fill.space, self.state.fill.color) = fixed(Space::Cmyk),
            b"G" => (self.state.stroke.space, self.state.stroke.color) = fixed(Space::Gray),
            b"RG" => (self.state.stroke.space, self.state.stroke.color) = fixed(Space::Rgb),
            b"K" => (self.state.stroke.space, self.state.stroke.color) = fixed(Space::Cmyk),
            b"cs" | b"CS" => {
                let Some(Operand::Name(name)) = operands.first() else { return };
                let space = Space::read(self.document, resources, name);
                let ink = if operator == b"cs" { &mut self.state.fill } else { &mut self.state.stroke };
                ink.space = space;
                ink.color = match space {
                    Space::Gray | Space::Rgb | Space::Cmyk => Some(crate::parse::color::Rgb::BLACK),
                    Space::Inks | Space::Unknown => None,
                };
            }
            b"sc" | b"scn" => self.state.fill.color = self.state.fill.space.color(&numbers()),
            b"SC" | b"SCN" => self.state.stroke.color = self.state.stroke.space.color(&numbers()),
            b"re" => {
                let [x, y, width, height] = [0, 1, 2, 3].map(|index| number_at(operands, index));
                self.is_rectangle = self.path == Rectangle::EMPTY && self.state.matrix.axes().0.1 == 0.0;
                let corners = [(x, y), (x + width, y), (x, y + height), (x + width, y + height)];
                corners.into_iter().for_each(|corner| self.path.include(self.state.matrix.apply(corner.0, corner.1)));
            }
            b"m" | b"l" | b"c" | b"v" | b"y" => {
                self.is_rectangle = false;
                let numbers = numbers();
                for pair in numbers.chunks_exact(2) {
                    self.path.include(self.state.matrix.apply(pair[0], pair[1]));
                }
            }
            b"W" | b"W*" => self.clips_next = true,
            b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*" => {
                let area = self.state.clip.map_or(self.path, |clip| clip.common(&self.path));
                let covers = self.is_rectangle && self.state.is_opaque && self.state.fill_opacity > 0.95;
                if self.state.fill_opacity > OPACITY_MIN && self.marks.iter().all(|hides| !hides) {
                    self.canvas.paint(area, self.state.fill.color, covers);
                }
                self.end_path();
            }
            b"S" | b"s" | b"n" => self.end_path(),
            _ => {}
        }
    }

    fn end_path(&mut self) {
        if std::mem::take(&mut self.clips_next) {
            self.state.clip = Some(self.state.clip.map_or(self.path, |clip| clip.common(&self.path)));
        }
        self.path = Rectangle::EMPTY;
        self.is_rectangle = false;
    }

    fn mark(&mut self, hides: bool) {
        if self.marks.len() < STATES_MAX {
            self.marks.push(hides);
        }
    }

    fn is_hidden_layer(&self, operands: &[Operand], resources: Option<&'a Dictionary>) -> bool {
        let [Operand::Name(kind), Operand::Name(name), ..] = operands else { return false };
        let properties = resources.and_then(|own| own.get_deref(b"Properties", self.document).ok()?.as_dict().ok());
        let mark = properties.and_then(|properties| properties.get(name).ok());
        kind == b"OC" && mark.is_some_and(|mark| self.layers.hide(self.document, mark))
    }

    fn extended_state(&mut self, operands: &[Operand], resources: Option<&'a Dictionary>) {
        let Some(Operand::Name(name)) = operands.first() else { return };
        let document = self.document;
        let states = resources.and_then(|own| own.get_deref(b"ExtGState", document).ok()?.as_dict().ok());
        let Some(own) = states.and_then(|states| states.get_deref(name, document).ok()?.as_dict().ok()) else { return };
        let get = |key: &[u8]| own.get_deref(key, document).ok();
        self.state.fill_opacity = get(b"ca").and_then(number).unwrap_or(self.state.fill_opacity);
        self.state.stroke_opacity = get(b"CA").and_then(number).unwrap_or(self.state.stroke_opacity);
        if let Some(blend) = get(b"BM") {
            self.state.is_opaque = matches!(blend.as_name(), Ok(b"Normal" | b"Compatible"));
        }
        if let Some(mask) = get(b"SMask") {
            self.state.is_opaque &= matches!(mask.as_name(), Ok(b"None"));
        }
        if let Some(font) = get(b"Font").and_then(|font| font.as_array().ok()) {
            let reference = font.first().and_then(|font| font.as_reference().ok());
            self.state.font = reference.and_then(|id| self.font_of(id));
            self.state.size = font.get(1).and_then(number).unwrap_or(self.state.size);
        }
    }

    fn font(&mut self, name: &[u8], resources: Option<&'a Dictionary>) -> Option<Rc<Font>> {
        let fonts = resources?.get_deref(b"Font", self.document).ok()?.as_dict().ok()?;
        let object = fonts.get(name).ok()?;
        match object {
            Object::Reference(id) => self.font_of(*id),
            Object::Dictionary(font) => Some(Rc::new(Font::read(self.document, font))),
            _ => None,
        }
    }

    fn font_of(&mut self, id: ObjectId) -> Option<Rc<Font>> {
        if let Some(font) = self.fonts.get(&id) {
            return Some(Rc::clone(font));
        }
        let font = Rc::new(Font::read(self.document, self.document.get_dictionary(id).ok()?));
        self.fonts.insert(id, Rc::clone(&font));
        Some(font)
    }

    fn paint_object(
        &mut self,
        operands: &[Operand],
        resources: Option<&'a Dictionary>,
        depth: usize,
    ) -> Result<(), PrepareError> {
        let Some(Operand::Name(name)) = operands.first() else { return Ok(()) };
        let objects = resources.and_then(|own| own.get_deref(b"XObject", self.document).ok()?.as_dict().ok());
        let Some(stream) = objects.and_then(|own| own.get_deref(name, self.document).ok()?.as_stream().ok()) else {
            return Ok(());
        };
        if stream.dict.get(b"OC").is_ok_and(|mark| self.layers.hide(self.document, mark)) {
            self.canvas.hides_something();
            return Ok(());
        }
        if stream.dict.get_deref(b"Subtype", self.document).ok().and_then(|kind| kind.as_name().ok()) != Some(b"Form") {
            self.canvas
                .paint_image(Rectangle { left: 0.0, bottom: 0.0, right: 1.0, top: 1.0 }.mapped(self.state.matrix));
            return Ok(());
        }
        if depth == FORM_DEPTH_MAX {
            return Err(PrepareError::Unparseable(Fault::TooDeep));
        }
        let content = self.budget.unpack(stream)?;
        let own = stream.dict.get_deref(b"Resources", self.document).ok().and_then(|own| own.as_dict().ok());
        let outside = (self.state.clone(), self.text, self.line);
        let form = stream.dict.get_deref(b"Matrix", self.document).ok().and_then(|own| matrix_of(self.document, own));
        self.state.matrix = form.unwrap_or(Matrix::IDENTITY).then(self.state.matrix);
        if let Some(bounds) =
            stream.dict.get_deref(b"BBox", self.document).ok().and_then(|own| rectangle_of(self.document, own))
        {
            let bounds = bounds.mapped(self.state.matrix);
            self.state.clip = Some(self.state.clip.map_or(bounds, |clip| clip.common(&bounds)));
        }
        let done = self.run(&content, own.or(resources), depth + 1);
        (self.state, self.text, self.line) = outside;
        done
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line = Matrix::translation(x, y).then(self.line);
        self.text = self.line;
    }

    fn shift(&mut self, by: f64) {
        let is_vertical = self.state.font.as_ref().is_some_and(|font| font.is_vertical);
        let step =
            if is_vertical { Matrix::translation(0.0, by) } else { Matrix::translation(by * self.state.stretch, 0.0) };
        self.text = step.then(self.text);
    }

    fn show(&mut self, operand: Option<&Operand>) -> Result<(), PrepareError> {
        let (Some(Operand::String(bytes)), Some(font)) = (operand, self.state.font.clone()) else { return Ok(()) };
        self.budget.text(bytes.len())?;
        let (state, before) = (&self.state, self.text);
        let (mut text, mut advance) = (String::new(), 0.0);
        for shown in font.decode(bytes) {
            let word_spacing = if shown.is_blank { state.word_spacing } else { 0.0 };
            let width = if font.is_vertical { -1.0 } else { shown.width };
            let spacing = state.character_spacing + word_spacing;
            advance += width * state.size + if font.is_vertical { -spacing } else { spacing };
            text.push_str(&shown.text);
        }
        let step = if font.is_vertical { (0.0, advance) } else { (advance * state.stretch, 0.0) };
        self.text = Matrix::translation(step.0, step.1).then(self.text);
        if text.is_empty() {
            return Ok(());
        }
        let to_page = before.then(state.matrix);
        let ((ax, ay), (cx, cy)) = to_page.axes();
        let size = cx.hypot(cy) * state.size.abs();
        let width = ax.hypot(ay) * state.size.abs() * state.stretch.abs();
        let (start, end) = (to_page.apply(0.0, state.rise), to_page.apply(step.0, step.1 + state.rise));
        let length = (end.0 - start.0).hypot(end.1 - start.1);
        let along = if length > 1e-9 { ((end.0 - start.0) / length, (end.1 - start.1) / length) } else { (1.0, 0.0) };
        let piece = Piece { start, end, along, size, text };
        let is_hidden = size < SIZE_MIN
            || width < SIZE_MIN / 2.0
            || self.marks.contains(&true)
            || !(start.0 + start.1 + end.0 + end.1).is_finite();
        let letters = state.letters().filter(|(_, opacity)| *opacity > OPACITY_MIN && !is_hidden);
        self.canvas.write(piece, letters.map(|(color, _)| color), state.clip.as_ref());
        Ok(())
    }
}
