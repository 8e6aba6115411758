namespace PostTrain.Text.HuggingFace;

/// <summary>Converts tokens to text: the "decoder" of a tokenizer's file.</summary>
internal abstract class TokenDecoder
{
    private const int MaximumDepth = 16;

    /// <summary>Returns the tokens after this step; the result of the last step is joined.</summary>
    internal abstract List<string> Apply(List<string> tokens);

    internal static TokenDecoder Read(TokenizerNode node, int depth = 0)
    {
        if (depth > MaximumDepth)
            throw new InvalidDataException($"{node.Place} is a sequence {depth} deep, expected at most {MaximumDepth}");
        var kind = node.Kind();
        return kind switch
        {
            "ByteLevel" => new ByteDecoder(),
            "ByteFallback" => new ByteFallbackDecoder(),
            "Fuse" => new FuseDecoder(),
            "Replace" => new ReplaceDecoder(TextPattern.Read(node.Get("pattern")), node.Get("content").Text()),
            "Strip" => new StripDecoder(
                node.Get("content").Character(),
                node.Get("start").Integer(0, int.MaxValue),
                node.Get("stop").Integer(0, int.MaxValue)
            ),
            "Metaspace" => new MetaspaceDecoder(
                node.Get("replacement").Character(),
                MetaspacePreTokenizer.ReadScheme(node) != MetaspacePreTokenizer.Scheme.Never
            ),
            "WordPiece" => new WordPieceDecoder(node.Get("prefix").Text(), node.Flag("cleanup", true)),
            "BPEDecoder" => new SuffixDecoder(node.Get("suffix").Text()),
            "Sequence" => new DecoderSequence([.. node.Get("decoders").Items().Select(item => Read(item, depth + 1))]),
            _ => throw new InvalidDataException(
                $"{node.Place} has the type {kind}, expected ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, WordPiece, "
                    + "BPEDecoder or Sequence"
            ),
        };
    }
}
