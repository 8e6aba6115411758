using PostTrain.Data;

namespace PostTrain.Recipes;

/// <summary>What a judge made of some pairs.</summary>
/// <param name="Pairs">Those with a verdict, the better completion first, its <see cref="PreferencePair.Probability"/> between ½ and
/// 1.</param>
/// <param name="Same">Pairs of two equal texts, which nobody was asked about.</param>
/// <param name="WithoutVerdict">Pairs that the judge gave no verdict on.</param>
public sealed record AiFeedbackBatch(IReadOnlyList<PreferencePair> Pairs, int Same, int WithoutVerdict);
