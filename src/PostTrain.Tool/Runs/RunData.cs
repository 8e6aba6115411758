namespace PostTrain.Tool;

/// <summary>The records of a run that fit the model.</summary>
/// <typeparam name="T">The records.</typeparam>
/// <param name="Train">Records to learn from.</param>
/// <param name="HeldOut">Records to evaluate on; may be empty.</param>
/// <param name="Longest">Tokens of the longest text.</param>
internal sealed record RunData<T>(IReadOnlyList<T> Train, IReadOnlyList<T> HeldOut, int Longest)
{
    /// <summary>The held-out records; null for none, as trainers take them.</summary>
    internal IReadOnlyList<T>? Evaluation => HeldOut.Count > 0 ? HeldOut : null;
}
