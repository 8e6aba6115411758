namespace PostTrain.Rewards.Answers;

/// <summary>What stands for itself in a sum: a variable, π, or what has no exact form here, such as a cube root.</summary>
/// <param name="Name">Equal names mean equal things.</param>
/// <param name="Value">Its value, null where it has none (a variable).</param>
internal readonly record struct AnswerSymbol(string Name, double? Value)
{
    internal static AnswerSymbol Pi { get; } = new("π", Math.PI);

    internal static AnswerSymbol Infinity { get; } = new("∞", null);
}
