namespace PostTrain.Text.HuggingFace;

/// <summary>How a byte-pair encoding treats the edges of words and what it does not know.</summary>
/// <param name="Unknown">The token for characters outside the vocabulary; null where they are dropped.</param>
/// <param name="Prefix">What every character but a word's first has in front.</param>
/// <param name="Suffix">What a word's last character has behind.</param>
/// <param name="FuseUnknown">Neighbouring unknown characters are one token.</param>
/// <param name="ByteFallback">Unknown characters are the bytes of their UTF-8, where the vocabulary has these.</param>
/// <param name="IgnoreMerges">A piece that is a token as a whole is that token.</param>
internal sealed record BpeOptions(string? Unknown, string Prefix, string Suffix, bool FuseUnknown, bool ByteFallback, bool IgnoreMerges);
