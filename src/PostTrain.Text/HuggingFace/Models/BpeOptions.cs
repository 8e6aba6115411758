namespace PostTrain.Text.HuggingFace;

/// <summary>Treatment of word edges and unknown characters by a byte-pair encoding.</summary>
/// <param name="Unknown">The token for characters outside the vocabulary; null to drop them.</param>
/// <param name="Prefix">Prefix of every character of a word but the first.</param>
/// <param name="Suffix">Suffix of a word's last character.</param>
/// <param name="FuseUnknown">True if adjacent unknown characters are one token.</param>
/// <param name="ByteFallback">True if unknown characters become the bytes of their UTF-8, where the vocabulary has them.</param>
/// <param name="IgnoreMerges">True if a piece that is a token as a whole becomes that token.</param>
internal sealed record BpeOptions(string? Unknown, string Prefix, string Suffix, bool FuseUnknown, bool ByteFallback, bool IgnoreMerges);
