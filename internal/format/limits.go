package format

// MaxCover is the most bytes a cover may have; a larger one is left out.
const MaxCover = 10 << 20
