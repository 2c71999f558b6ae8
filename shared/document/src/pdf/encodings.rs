//! What the codes of simple fonts mean: encodings (ISO 32000-1, annex D) and names of glyphs.

/// A way to read codes of one byte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Base {
    Standard,
    WinAnsi,
    MacRoman,
}

/// Codes 0x80 to 0x9F of WinAnsi; the rest is Latin-1.
const WIN_ANSI: &str = "€•‚ƒ„…†‡ˆ‰Š‹Œ•Ž••‘’“”•–—˜™š›œ•žŸ";
/// Codes 0x80 to 0xFF of MacRoman.
const MAC_ROMAN: &str = "\
    ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈\
    ∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";
/// Codes 0xA0 to 0xFF of Standard; NUL where there is none.
const STANDARD: &str = "\
    \0¡¢£⁄¥ƒ§¤'“«‹›ﬁﬂ\0–†‡·\0¶•‚„”»…‰\0¿\0`´ˆ˜¯˘˙¨\0˚¸\0˝˛ˇ\
    —\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0Æ\0ª\0\0\0\0ŁØŒº\0\0\0\0\0æ\0\0\0ı\0\0łøœß\0\0\0\0";

/// Names of glyphs in Latin and Greek fonts, each with what it shows.
const GLYPHS: &str = "\
A A AE Æ Aacute Á Abreve Ă Acircumflex Â Adieresis Ä Agrave À Alpha Α Amacron Ā Aogonek Ą
Aring Å Atilde Ã B B Beta Β C C Cacute Ć Ccaron Č Ccedilla Ç Ccircumflex Ĉ Cdotaccent Ċ Chi Χ
D D Dcaron Ď Dcroat Đ Delta Δ E E Eacute É Ebreve Ĕ Ecaron Ě Ecircumflex Ê Edieresis Ë
Edotaccent Ė Egrave È Emacron Ē Eng Ŋ Eogonek Ę Epsilon Ε Eta Η Eth Ð Euro € F F G G Gamma Γ
Gbreve Ğ Gcircumflex Ĝ Gdotaccent Ġ H H Hbar Ħ Hcircumflex Ĥ I I IJ Ĳ Iacute Í Ibreve Ĭ
Icircumflex Î Idieresis Ï Idotaccent İ Igrave Ì Imacron Ī Iogonek Į Iota Ι Iotadieresis Ϊ
Itilde Ĩ J J Jcircumflex Ĵ K K Kappa Κ L L Lacute Ĺ Lambda Λ Lcaron Ľ Ldot Ŀ Lslash Ł M M Mu Μ
N N Nacute Ń Ncaron Ň Ntilde Ñ Nu Ν O O OE Œ Oacute Ó Obreve Ŏ Ocircumflex Ô Odieresis Ö
Ograve Ò Ohungarumlaut Ő Omacron Ō Omega Ω Omicron Ο Oslash Ø Otilde Õ P P Phi Φ Pi Π Psi Ψ
Q Q R R Racute Ŕ Rcaron Ř Rho Ρ S S Sacute Ś Scaron Š Scedilla Ş Scircumflex Ŝ Sigma Σ T T
Tau Τ Tbar Ŧ Tcaron Ť Tcommaaccent Ţ Theta Θ Thorn Þ U U Uacute Ú Ubreve Ŭ Ucircumflex Û
Udieresis Ü Ugrave Ù Uhungarumlaut Ű Umacron Ū Uogonek Ų Upsilon Υ Upsilondieresis Ϋ Uring Ů
Utilde Ũ V V W W Wcircumflex Ŵ X X Xi Ξ Y Y Yacute Ý Ycircumflex Ŷ Ydieresis Ÿ Z Z Zacute Ź
Zcaron Ž Zdotaccent Ż Zeta Ζ a a aacute á abreve ă acircumflex â acute ´ adieresis ä ae æ
agrave à alpha α alphatonos ά amacron ā ampersand & aogonek ą approxequal ≈ aring å
asciicircum ^ asciitilde ~ asterisk * at @ atilde ã b b backslash \\ bar | beta β braceleft {
braceright } bracketleft [ bracketright ] breve ˘ brokenbar ¦ bullet • c c cacute ć caron ˇ
ccaron č ccedilla ç ccircumflex ĉ cdotaccent ċ cedilla ¸ cent ¢ checkmark ✓ chi χ circumflex ˆ
colon : comma , copyright © currency ¤ d d dagger † daggerdbl ‡ dcaron ď dcroat đ degree °
delta δ dieresis ¨ divide ÷ dollar $ dotaccent ˙ dotlessi ı dotlessj ȷ e e eacute é ebreve ĕ
ecaron ě ecircumflex ê edieresis ë edotaccent ė egrave è eight 8 ellipsis … emacron ē emdash —
endash – eng ŋ eogonek ę epsilon ε epsilontonos έ equal = eta η etatonos ή eth ð exclam !
exclamdbl ‼ exclamdown ¡ f f ff ﬀ ffi ﬃ ffl ﬄ fi ﬁ five 5 fl ﬂ florin ƒ four 4 fraction ⁄ g g
gamma γ gbreve ğ gcircumflex ĝ gdotaccent ġ germandbls ß grave ` greater > greaterequal ≥
guillemotleft « guillemotright » guilsinglleft ‹ guilsinglright › h h hbar ħ hcircumflex ĥ
hungarumlaut ˝ hyphen - i i iacute í ibreve ĭ icircumflex î idieresis ï igrave ì ij ĳ
imacron ī infinity ∞ integral ∫ iogonek į iota ι iotadieresis ϊ iotatonos ί itilde ĩ j j
jcircumflex ĵ k k kappa κ kgreenlandic ĸ l l lacute ĺ lambda λ lcaron ľ ldot ŀ less <
lessequal ≤ logicalnot ¬ longs ſ lozenge ◊ lslash ł m m macron ¯ minus − minute ′ mu µ
multiply × n n nacute ń napostrophe ŉ nbspace \u{a0} ncaron ň nine 9 notequal ≠ ntilde ñ nu ν
numbersign # o o oacute ó obreve ŏ ocircumflex ô odieresis ö oe œ ogonek ˛ ograve ò
ohungarumlaut ő omacron ō omega ω omegatonos ώ omicron ο omicrontonos ό one 1 onedotenleader ․
onehalf ½ onequarter ¼ ordfeminine ª ordmasculine º oslash ø otilde õ p p paragraph ¶
parenleft ( parenright ) partialdiff ∂ percent % period . periodcentered · perthousand ‰ phi φ
pi π plus + plusminus ± product ∏ psi ψ q q question ? questiondown ¿ quotedbl \"
quotedblbase „ quotedblleft “ quotedblright ” quoteleft ‘ quotereversed ‛ quoteright ’
quotesinglbase ‚ quotesingle ' r r racute ŕ radical √ rcaron ř registered ® rho ρ ring ˚ s s
sacute ś scaron š scedilla ş scircumflex ŝ second ″ section § semicolon ; seven 7
sfthyphen \u{ad} sigma σ sigma1 ς six 6 slash / sterling £ summation ∑ t t tau τ tbar ŧ
tcaron ť tcommaaccent ţ theta θ thorn þ three 3 threequarters ¾ tilde ˜ trademark ™ two 2
twodotenleader ‥ u u uacute ú ubreve ŭ ucircumflex û udieresis ü ugrave ù uhungarumlaut ű
umacron ū underscore _ underscoredbl ‗ uogonek ų upsilon υ upsilondieresis ϋ
upsilondieresistonos ΰ upsilontonos ύ uring ů utilde ũ v v visiblespace ␣ w w wcircumflex ŵ
x x xi ξ y y yacute ý ycircumflex ŷ ydieresis ÿ yen ¥ z z zacute ź zcaron ž zdotaccent ż
zero 0 zeta ζ";

impl Base {
    /// The base encoding of this name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"StandardEncoding" => Some(Self::Standard),
            b"WinAnsiEncoding" => Some(Self::WinAnsi),
            b"MacRomanEncoding" => Some(Self::MacRoman),
            _ => None,
        }
    }

    /// The character of a code.
    pub(super) fn character(self, code: u8) -> Option<char> {
        let table = |table: &str, first: u8| {
            let n = code.checked_sub(first).map(usize::from)?;
            table.chars().nth(n).filter(|c| *c != '\0')
        };
        match (self, code) {
            (_, 0..0x20) => None,
            (Self::Standard, b'\'') => Some('\u{2019}'),
            (Self::Standard, b'`') => Some('\u{2018}'),
            (_, 0x20..=0x7f) => Some(char::from(code)),
            (Self::WinAnsi, 0x80..0xa0) => table(WIN_ANSI, 0x80),
            (Self::WinAnsi, _) => Some(char::from(code)),
            (Self::MacRoman, _) => table(MAC_ROMAN, 0x80),
            (Self::Standard, _) => table(STANDARD, 0xa0),
        }
    }
}

/// What a glyph of this name shows: by the list, by its number in Unicode (`uni20AC`, `u1F600`), or by its parts
/// (`f_f_i`); what stands behind a dot is only its form.
pub(super) fn glyph(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?.split('.').next().filter(|name| !name.is_empty())?;
    name.split('_').map(part).collect()
}

fn part(name: &str) -> Option<String> {
    if name == "space" {
        return Some(" ".to_owned());
    }
    let mut words = GLYPHS.split([' ', '\n']);
    while let (Some(known), Some(shown)) = (words.next(), words.next()) {
        if known == name {
            return Some(shown.to_owned());
        }
    }
    by_number(name).map(String::from)
}

fn by_number(name: &str) -> Option<char> {
    let digits = match name.strip_prefix("uni") {
        Some(digits) => Some(digits).filter(|digits| digits.len() == 4),
        None => name.strip_prefix('u').filter(|digits| (4..=6).contains(&digits.len())),
    };
    char::from_u32(u32::from_str_radix(digits?, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_glyphs_say_what_they_show() {
        for (name, shown) in [
            ("A", "A"),
            ("space", " "),
            ("ffi", "\u{fb03}"),
            ("f_i", "fi"),
            ("Adieresis", "Ä"),
            ("zcaron", "ž"),
            ("alpha", "α"),
            ("uni20AC", "€"),
            ("u1F600", "😀"),
            ("one.oldstyle", "1"),
            ("quotedbl", "\""),
            ("backslash", "\\"),
        ] {
            assert_eq!(glyph(name.as_bytes()).as_deref(), Some(shown), "{name}");
        }
        assert_eq!(glyph(b"g17"), None);
        assert_eq!(glyph(b".notdef"), None);
    }

    #[test]
    fn codes_above_ascii_follow_their_encoding() {
        assert_eq!(Base::WinAnsi.character(0x80), Some('€'));
        assert_eq!(Base::WinAnsi.character(0xe4), Some('ä'));
        assert_eq!(Base::MacRoman.character(0x8a), Some('ä'));
        assert_eq!(Base::Standard.character(0xfb), Some('ß'));
        assert_eq!(Base::Standard.character(0xa0), None);
        assert_eq!(Base::Standard.character(0xd0), Some('—'));
    }
}
