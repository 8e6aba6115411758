namespace PostTrain.Tool;

/// <summary>Records that fit into a model's context.</summary>
/// <typeparam name="T">The records.</typeparam>
/// <param name="Items">The records.</param>
/// <param name="Longest">Tokens of the longest text among them.</param>
public sealed record Fitted<T>(IReadOnlyList<T> Items, int Longest)
{
    /// <summary>Splits off the last records as held-out data: the requested number, a quarter at most.</summary>
    public (IReadOnlyList<T> Train, IReadOnlyList<T> HeldOut) Split(int heldOut)
    {
        int count = Math.Clamp(Items.Count / 4, 1, heldOut);
        return ([.. Items.Take(Items.Count - count)], [.. Items.Skip(Items.Count - count)]);
    }
}
