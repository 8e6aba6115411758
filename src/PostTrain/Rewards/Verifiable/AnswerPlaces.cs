namespace PostTrain.Rewards;

/// <summary>The places in a completion that can hold the final answer. The first in this order that is present is used.</summary>
[Flags]
public enum AnswerPlaces
{
    /// <summary>Nowhere.</summary>
    None = 0,

    /// <summary>The last <c>\boxed{…}</c>, <c>\boxed 7</c> or <c>\fbox{…}</c>, with nested braces; boxes in a row as a list.</summary>
    Boxed = 1,

    /// <summary>The rest of the line after the last <c>####</c>, as in GSM8K.</summary>
    Hashes = 2,

    /// <summary>Between the last <c>&lt;answer&gt;</c> and <c>&lt;/answer&gt;</c>.</summary>
    Tags = 4,

    /// <summary>The last number of the text, with the formula or expression that holds it.</summary>
    LastNumber = 8,

    /// <summary>After the last "answer is" or "answer:", to the end of the sentence: the longest initial part that is mathematics, a number
    /// in it, or all of it.</summary>
    Phrase = 16,

    /// <summary>The places that mark an answer explicitly.</summary>
    Marked = Boxed | Hashes | Tags,

    /// <summary>All places.</summary>
    Any = Marked | Phrase | LastNumber,
}
