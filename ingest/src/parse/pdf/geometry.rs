//! Matrices and rectangles of a page.

/// An affine map, as PDF writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Matrix(pub(super) [f64; 6]);

impl Matrix {
    pub(super) const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    pub(super) const fn translation(x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y])
    }

    /// First this map, then another.
    pub(super) fn then(self, next: Self) -> Self {
        let ([a, b, c, d, e, f], [na, nb, nc, nd, ne, nf]) = (self.0, next.0);
        Self([
            a * na + b * nc,
            a * nb + b * nd,
            c * na + d * nc,
            c * nb + d * nd,
            e * na + f * nc + ne,
            e * nb + f * nd + nf,
        ])
    }

    pub(super) fn apply(self, x: f64, y: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.0;
        (x * a + y * c + e, x * b + y * d + f)
    }

    /// Where the unit vectors go, without the translation.
    pub(super) const fn axes(self) -> ((f64, f64), (f64, f64)) {
        let [a, b, c, d, ..] = self.0;
        ((a, b), (c, d))
    }
}

/// A rectangle along the axes of the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rectangle {
    pub(super) left: f64,
    pub(super) bottom: f64,
    pub(super) right: f64,
    pub(super) top: f64,
}

impl Rectangle {
    /// A rectangle that holds nothing yet.
    pub(super) const EMPTY: Self =
        Self { left: f64::INFINITY, bottom: f64::INFINITY, right: f64::NEG_INFINITY, top: f64::NEG_INFINITY };

    pub(super) fn from_corners(one: (f64, f64), other: (f64, f64)) -> Self {
        let mut rectangle = Self::EMPTY;
        rectangle.include(one);
        rectangle.include(other);
        rectangle
    }

    /// The image of the unit square, or of any rectangle given by its corners.
    pub(super) fn mapped(self, matrix: Matrix) -> Self {
        let mut mapped = Self::EMPTY;
        for (x, y) in
            [(self.left, self.bottom), (self.right, self.bottom), (self.left, self.top), (self.right, self.top)]
        {
            mapped.include(matrix.apply(x, y));
        }
        mapped
    }

    pub(super) const fn include(&mut self, (x, y): (f64, f64)) {
        self.left = self.left.min(x);
        self.right = self.right.max(x);
        self.bottom = self.bottom.min(y);
        self.top = self.top.max(y);
    }

    pub(super) fn meets(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.bottom < other.top && other.bottom < self.top
    }

    pub(super) fn holds(&self, other: &Self) -> bool {
        self.left <= other.left && self.right >= other.right && self.bottom <= other.bottom && self.top >= other.top
    }

    /// What two rectangles have in common.
    pub(super) const fn common(&self, other: &Self) -> Self {
        Self {
            left: self.left.max(other.left),
            bottom: self.bottom.max(other.bottom),
            right: self.right.min(other.right),
            top: self.top.min(other.top),
        }
    }

    pub(super) const fn grown(self, by: f64) -> Self {
        Self { left: self.left - by, bottom: self.bottom - by, right: self.right + by, top: self.top + by }
    }
}
