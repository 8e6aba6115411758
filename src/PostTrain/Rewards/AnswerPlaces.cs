namespace PostTrain.Rewards;

/// <summary>Where in a completion a final answer may stand. Of several that are present the first in this order is taken.</summary>
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

    /// <summary>After the last "answer is" or "answer:", to the end of the sentence: the longest beginning that is mathematics, a number in
    /// it, or all of it.</summary>
    Phrase = 16,

    /// <summary>The places that mark an answer as one.</summary>
    Marked = Boxed | Hashes | Tags,

    /// <summary>Any of them.</summary>
    Any = Marked | Phrase | LastNumber,
}
