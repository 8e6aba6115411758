namespace PostTrain.Text.HuggingFace;

/// <summary>Adds special tokens to what was encoded: the "post_processor" of a tokenizer's file.</summary>
internal abstract class PostProcessor
{
    private const int MaximumDepth = 16;

    /// <summary>Whether it looks at the tokens' spelling.</summary>
    internal virtual bool NeedsTexts => false;

    /// <summary>How many tokens it adds.</summary>
    internal virtual int Added(bool pair) => 0;

    /// <summary>The parts in the order in which they stand in the encoding.</summary>
    /// <param name="parts">What was encoded: one sequence or two.</param>
    /// <param name="special">Whether special tokens are wanted.</param>
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
