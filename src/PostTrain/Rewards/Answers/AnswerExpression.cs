namespace PostTrain.Rewards.Answers;

/// <summary>A single value.</summary>
/// <param name="Sum">The value in canonical form.</param>
/// <param name="IsDecimal">True if written with decimals, and so possibly rounded.</param>
/// <param name="Unit">The unit, if any.</param>
internal sealed record AnswerExpression(AnswerSum Sum, bool IsDecimal, AnswerUnit? Unit) : AnswerItem;
