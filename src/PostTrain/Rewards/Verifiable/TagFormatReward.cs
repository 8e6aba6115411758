namespace PostTrain.Rewards;

/// <summary>Implements <see cref="Reward.TagFormat"/>.</summary>
internal static class TagFormatReward
{
    internal static IReward Create(string name, string[] tags)
    {
        var marks = Marks(tags);
        return new FunctionReward(name, (completion, _) => Matches(completion.Text, marks) ? 1 : 0);
    }

    /// <summary>Returns the opening and the closing mark of each tag, in order.</summary>
    internal static string[] Marks(string[] tags)
    {
        if (tags.Length == 0 || tags.Any(string.IsNullOrWhiteSpace) || tags.Distinct(StringComparer.Ordinal).Count() != tags.Length)
            throw new ArgumentException(
                $"tags are [{string.Join(", ", tags)}], expected at least one name, none empty, all different",
                nameof(tags)
            );
        return [.. tags.SelectMany(tag => new[] { $"<{tag}>", $"</{tag}>" })];
    }

    // True if the marks occur once each, in order, with only white space outside the blocks.
    private static bool Matches(string text, string[] marks)
    {
        var position = 0;
        for (var i = 0; i < marks.Length; i++)
        {
            var found = text.IndexOf(marks[i], StringComparison.Ordinal);
            if (found < position || text.LastIndexOf(marks[i], StringComparison.Ordinal) != found)
                return false;
            var isOpening = i % 2 == 0;
            if (isOpening && !text.AsSpan(position, found - position).IsWhiteSpace())
                return false;
            position = found + marks[i].Length;
        }

        return text.AsSpan(position).IsWhiteSpace();
    }
}
