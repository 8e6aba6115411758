namespace PostTrain.Text.HuggingFace;

/// <summary>Applies several post-processors in order.</summary>
internal sealed class PostProcessorSequence(PostProcessor[] steps) : PostProcessor
{
    internal override bool NeedsTexts => Array.Exists(steps, step => step.NeedsTexts);

    internal override int Added(bool pair) => steps.Sum(step => step.Added(pair));

    internal override IReadOnlyList<EncodedPart> Apply(IReadOnlyList<EncodedPart> parts, bool special) =>
        steps.Aggregate(parts, (current, step) => step.Apply(current, special));
}
