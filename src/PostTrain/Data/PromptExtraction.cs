namespace PostTrain.Data;

/// <summary>Finds the prompt that both sides of a preference begin with, for data that does not say it.</summary>
public static class PromptExtraction
{
    /// <summary>Takes the common beginning of two texts as the prompt; a space before the first difference belongs to the
    /// completions.</summary>
    /// <remarks>If one text is the beginning of the other, or both are equal, the last common character stays with the completions, so that
    /// the shorter is not empty.</remarks>
    /// <exception cref="ArgumentException">A text is empty.</exception>
    public static PreferencePair Extract(string chosen, string rejected)
    {
        ArgumentException.ThrowIfNullOrEmpty(chosen);
        ArgumentException.ThrowIfNullOrEmpty(rejected);
        int length = Common(chosen.ToCharArray(), rejected.ToCharArray(), out bool differs);
        if (differs && length > 0 && chosen[length - 1] == ' ')
            length--;
        if (length > 0 && char.IsHighSurrogate(chosen[length - 1]))
            length--;
        return new PreferencePair(chosen[..length], chosen[length..], rejected[length..]);
    }

    /// <summary>Overload for lists, such as the messages of two conversations.</summary>
    /// <typeparam name="T">Items that know when they are equal.</typeparam>
    /// <exception cref="ArgumentException">A list is empty.</exception>
    public static (IReadOnlyList<T> Prompt, IReadOnlyList<T> Chosen, IReadOnlyList<T> Rejected) Extract<T>(
        IReadOnlyList<T> chosen,
        IReadOnlyList<T> rejected
    )
    {
        ArgumentNullException.ThrowIfNull(chosen);
        ArgumentNullException.ThrowIfNull(rejected);
        if (chosen.Count == 0 || rejected.Count == 0)
            throw new ArgumentException(
                $"chosen has {chosen.Count} items and rejected {rejected.Count}, expected at least one each",
                chosen.Count == 0 ? nameof(chosen) : nameof(rejected)
            );
        int length = Common(chosen, rejected, out _);
        return ([.. chosen.Take(length)], [.. chosen.Skip(length)], [.. rejected.Skip(length)]);
    }

    private static int Common<T>(IReadOnlyList<T> left, IReadOnlyList<T> right, out bool differs)
    {
        int shorter = Math.Min(left.Count, right.Count),
            length = 0;
        while (length < shorter && EqualityComparer<T>.Default.Equals(left[length], right[length]))
            length++;
        differs = length < shorter;
        return differs ? length : shorter - 1;
    }
}
