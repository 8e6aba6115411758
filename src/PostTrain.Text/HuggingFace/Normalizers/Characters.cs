using System.Globalization;
using System.Text;

namespace PostTrain.Text.HuggingFace;

/// <summary>Character classes as defined by the reference's libraries.</summary>
internal static class Characters
{
    /// <summary>A letter, mark, decimal digit, connector, joiner or other alphabetic character: <c>\w</c> of Rust's regular
    /// expressions.</summary>
    internal static bool IsWord(Rune rune) =>
        rune.IsAscii
            ? Rune.IsLetterOrDigit(rune) || rune.Value == '_'
            : Rune.GetUnicodeCategory(rune) switch
            {
                UnicodeCategory.UppercaseLetter
                or UnicodeCategory.LowercaseLetter
                or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter
                or UnicodeCategory.OtherLetter
                or UnicodeCategory.LetterNumber
                or UnicodeCategory.NonSpacingMark
                or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.EnclosingMark
                or UnicodeCategory.DecimalDigitNumber
                or UnicodeCategory.ConnectorPunctuation => true,
                _ => rune.Value
                    is (>= 0x200C and <= 0x200D)
                        or (>= 0x24B6 and <= 0x24E9)
                        or (>= 0x1F130 and <= 0x1F149)
                        or (>= 0x1F150 and <= 0x1F169)
                        or (>= 0x1F170 and <= 0x1F189),
            };

    internal static bool IsPunctuation(Rune rune) =>
        rune.IsAscii
            ? rune.Value is (>= '!' and <= '/') or (>= ':' and <= '@') or (>= '[' and <= '`') or (>= '{' and <= '~')
            : Rune.IsPunctuation(rune);

    /// <summary>Digits and every other number.</summary>
    internal static bool IsNumeric(Rune rune) => Rune.IsNumber(rune);

    internal static bool IsMark(Rune rune) =>
        Rune.GetUnicodeCategory(rune)
            is UnicodeCategory.NonSpacingMark
                or UnicodeCategory.SpacingCombiningMark
                or UnicodeCategory.EnclosingMark;

    /// <summary>Control, format and private characters other than tab and line ends.</summary>
    internal static bool IsControl(Rune rune) =>
        rune.Value is not ('\t' or '\n' or '\r')
        && Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.PrivateUse;

    internal static bool IsChinese(Rune rune) =>
        rune.Value
            is (>= 0x4E00 and <= 0x9FFF)
                or (>= 0x3400 and <= 0x4DBF)
                or (>= 0x20000 and <= 0x2A6DF)
                or (>= 0x2A700 and <= 0x2B73F)
                or (>= 0x2B740 and <= 0x2B81F)
                or (>= 0x2B920 and <= 0x2CEAF)
                or (>= 0xF900 and <= 0xFAFF)
                or (>= 0x2F800 and <= 0x2FA1F);

    /// <summary>Replaces each unpaired surrogate by U+FFFD; the length is unchanged.</summary>
    internal static string WithoutLoneSurrogates(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            return text;
        char[]? repaired = null;
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }

            repaired ??= text.ToCharArray();
            repaired[i] = '\uFFFD';
        }

        return repaired is null ? text : new string(repaired);
    }
}
