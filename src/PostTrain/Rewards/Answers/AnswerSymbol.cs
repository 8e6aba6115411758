namespace PostTrain.Rewards.Answers;

/// <summary>An atom of a sum: a variable, π, or a value without an exact form here, such as a cube root.</summary>
/// <param name="Name">The name; equal names mean equal atoms.</param>
/// <param name="Value">The value; null if it has none (a variable).</param>
internal readonly record struct AnswerSymbol(string Name, double? Value)
{
    internal static AnswerSymbol Pi { get; } = new("π", Math.PI);

    internal static AnswerSymbol Infinity { get; } = new("∞", null);
}
