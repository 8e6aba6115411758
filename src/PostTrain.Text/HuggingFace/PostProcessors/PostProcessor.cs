namespace PostTrain.Text.HuggingFace;

/// <summary>Adds special tokens to encoded sequences: the "post_processor" of a tokenizer's file.</summary>
internal abstract class PostProcessor
{
    private const int MaximumDepth = 16;

    /// <summary>True if it reads the tokens' spelling.</summary>
    internal virtual bool NeedsTexts => false;

    /// <summary>Returns the number of tokens that it adds.</summary>
    internal virtual int Added(bool pair) => 0;

    /// <summary>Returns the parts in their order in the encoding.</summary>
    /// <param name="parts">The encoded sequences, one or two.</param>
    /// <param name="special">True to add special tokens.</param>
    internal abstract IReadOnlyList<EncodedPart> Apply(IReadOnlyList<EncodedPart> parts, bool special);

    internal static PostProcessor Read(TokenizerNode node, int depth = 0)
    {
        if (depth > MaximumDepth)
            throw new InvalidDataException($"{node.Place} is a sequence {depth} deep, expected at most {MaximumDepth}");
        var kind = node.Kind();
        return kind switch
        {
            "TemplateProcessing" => TemplatePostProcessor.Read(node),
            "ByteLevel" => new BytePostProcessor(node.Flag("add_prefix_space", true), node.Flag("trim_offsets", true)),
            "BertProcessing" => TemplatePostProcessor.Bert(Id(node.Get("cls")), Id(node.Get("sep"))),
            "RobertaProcessing" => new PostProcessorSequence([
                new BytePostProcessor(node.Flag("add_prefix_space", true), node.Flag("trim_offsets", true)),
                TemplatePostProcessor.Roberta(Id(node.Get("cls")), Id(node.Get("sep"))),
            ]),
            "Sequence" => new PostProcessorSequence([.. node.Get("processors").Items().Select(item => Read(item, depth + 1))]),
            _ => throw new InvalidDataException(
                $"{node.Place} has the type {kind}, expected TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing or Sequence"
            ),
        };
    }

    // A pair of a token and its id.
    private static int Id(TokenizerNode node) =>
        node.Items().ToArray() is [_, var id] ? id.Integer(0, int.MaxValue) : throw node.Refuse("a token and its id");
}
