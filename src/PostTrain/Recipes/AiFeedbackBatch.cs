using PostTrain.Data;

namespace PostTrain.Recipes;

/// <summary>A judge's verdicts on some pairs.</summary>
/// <param name="Pairs">The pairs with a verdict, the better completion first, with a <see cref="PreferencePair.Probability"/> between ½ and
/// 1.</param>
/// <param name="Same">Number of pairs of two equal texts, which are not judged.</param>
/// <param name="WithoutVerdict">Number of pairs without a verdict.</param>
public sealed record AiFeedbackBatch(IReadOnlyList<PreferencePair> Pairs, int Same, int WithoutVerdict);
