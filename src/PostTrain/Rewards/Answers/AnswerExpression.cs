namespace PostTrain.Rewards.Answers;

/// <summary>One value.</summary>
/// <param name="Sum">The value in canonical form.</param>
/// <param name="IsDecimal">Written with decimals, and so perhaps rounded.</param>
/// <param name="Unit">The unit it was written with.</param>
internal sealed record AnswerExpression(AnswerSum Sum, bool IsDecimal, AnswerUnit? Unit) : AnswerItem;
