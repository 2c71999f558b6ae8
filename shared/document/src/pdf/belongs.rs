//! What belongs to each kind of object (ISO 32000-1), so that a part holds this and nothing else.

/// Of a page; its resources, content and annotations are copied by rules of their own.
pub(super) const PAGE: [&str; 8] =
    ["MediaBox", "CropBox", "BleedBox", "TrimBox", "ArtBox", "Rotate", "UserUnit", "Group"];
/// Of a form (table 95).
pub(super) const FORM: [&str; 7] = ["Type", "Subtype", "FormType", "BBox", "Matrix", "Group", "OC"];
/// Of a picture (table 89).
pub(super) const IMAGE: [&str; 16] = [
    "Type",
    "Subtype",
    "Width",
    "Height",
    "ColorSpace",
    "BitsPerComponent",
    "Intent",
    "ImageMask",
    "Mask",
    "Decode",
    "Interpolate",
    "SMask",
    "SMaskInData",
    "Matte",
    "OC",
    "Name",
];
/// Of a tiling pattern (table 75).
pub(super) const TILING: [&str; 8] =
    ["Type", "PatternType", "PaintType", "TilingType", "BBox", "XStep", "YStep", "Matrix"];
/// Of a graphics state (table 58).
pub(super) const STATE: [&str; 27] = [
    "Type", "LW", "LC", "LJ", "ML", "D", "RI", "OP", "op", "OPM", "Font", "BG", "BG2", "UCR",
    "UCR2", "TR", "TR2", "HT", "FL", "SM", "SA", "BM", "SMask", "CA", "ca", "AIS", "TK",
];
/// Of a font of any kind (tables 111 to 121).
pub(super) const FONT: [&str; 17] = [
    "Type",
    "Subtype",
    "Name",
    "BaseFont",
    "FirstChar",
    "LastChar",
    "Widths",
    "Encoding",
    "ToUnicode",
    "DescendantFonts",
    "CIDSystemInfo",
    "DW",
    "W",
    "DW2",
    "W2",
    "CIDToGIDMap",
    "FontBBox",
];
/// Of a font descriptor (tables 122 and 124).
pub(super) const DESCRIPTOR: [&str; 26] = [
    "Type",
    "FontName",
    "FontFamily",
    "FontStretch",
    "FontWeight",
    "Flags",
    "FontBBox",
    "ItalicAngle",
    "Ascent",
    "Descent",
    "Leading",
    "CapHeight",
    "XHeight",
    "StemV",
    "StemH",
    "AvgWidth",
    "MaxWidth",
    "MissingWidth",
    "FontFile",
    "FontFile2",
    "FontFile3",
    "CharSet",
    "Style",
    "Lang",
    "FD",
    "CIDSet",
];
/// Of a layer, an optional content group (table 98).
pub(super) const LAYER: [&str; 4] = ["Type", "Name", "Intent", "Usage"];
/// Of an annotation that is printed (table 164).
pub(super) const ANNOTATION: [&str; 7] = ["Subtype", "Rect", "F", "Border", "C", "BS", "OC"];
/// How a stream is stored.
pub(super) const STORED: [&str; 2] = ["Filter", "DecodeParms"];
/// What no value anywhere may bring with it.
pub(super) const NOT_KEYS: [&[u8]; 8] = [
    b"Metadata",
    b"PieceInfo",
    b"AF",
    b"StructParent",
    b"StructParents",
    b"Parent",
    b"Dest",
    b"Thumb",
];
/// What is never copied, wherever it is found.
pub(super) const NOT_TYPES: [&[u8]; 14] = [
    b"Page",
    b"Pages",
    b"Catalog",
    b"Template",
    b"Annot",
    b"Action",
    b"StructTreeRoot",
    b"StructElem",
    b"Outlines",
    b"Filespec",
    b"F",
    b"EmbeddedFile",
    b"Metadata",
    b"ObjStm",
];
/// What resources there are (7.8.3).
pub(super) const CATEGORIES: [&str; 7] =
    ["Font", "XObject", "ExtGState", "ColorSpace", "Pattern", "Shading", "Properties"];
