namespace PostTrain.Text.HuggingFace;

/// <summary>Changes a text before it is split: the "normalizer" of a tokenizer's file.</summary>
internal abstract class Normalizer
{
    private const int MaximumDepth = 16;

    /// <summary>Returns the changed text with the sources of its units.</summary>
    internal abstract AlignedText Apply(AlignedText text);

    internal static Normalizer Read(TokenizerNode node, int depth = 0)
    {
        if (depth > MaximumDepth)
            throw new InvalidDataException($"{node.Place} is a sequence {depth} deep, expected at most {MaximumDepth}");
        var kind = node.Kind();
        return kind switch
        {
            "NFC" => new UnicodeNormalizer(compatibility: false, compose: true),
            "NFD" => new UnicodeNormalizer(compatibility: false, compose: false),
            "NFKC" => new UnicodeNormalizer(compatibility: true, compose: true),
            "NFKD" => new UnicodeNormalizer(compatibility: true, compose: false),
            "Lowercase" => new LowercaseNormalizer(),
            "StripAccents" => new FilterNormalizer(rune => !Characters.IsMark(rune)),
            "Strip" => new StripNormalizer(node.Get("strip_left").Flag(), node.Get("strip_right").Flag()),
            "Prepend" => new PrependNormalizer(node.Get("prepend").Text()),
            "Replace" => new ReplaceNormalizer(TextPattern.Read(node.Get("pattern")), node.Get("content").Text()),
            "ByteLevel" => new ByteNormalizer(),
            "BertNormalizer" => BertNormalizer.Read(node),
            "Sequence" => new NormalizerSequence([.. node.Get("normalizers").Items().Select(item => Read(item, depth + 1))]),
            "Precompiled" => throw new InvalidDataException(
                $"{node.Place} is a Precompiled normalizer, a compiled table of SentencePiece, which is not supported; "
                    + "most are equivalent to NFKC"
            ),
            _ => throw new InvalidDataException(
                $"{node.Place} has the type {kind}, expected NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, "
                    + "ByteLevel, BertNormalizer or Sequence"
            ),
        };
    }
}
