namespace PostTrain.Tool;

/// <summary>The known name that is nearest to an unknown one, for messages.</summary>
internal static class NearestName
{
    /// <summary>Returns <c>; did you mean 'name'?</c>, or nothing where no name is near: more than a third of its letters differ.</summary>
    internal static string Hint(string unknown, IEnumerable<string> known)
    {
        var nearest = known.Select(name => (Name: name, Distance: Distance(unknown, name))).MinBy(item => item.Distance);
        return nearest.Name is not null && nearest.Distance <= Math.Max(1, Math.Max(unknown.Length, nearest.Name.Length) / 3)
            ? $"; did you mean '{nearest.Name}'?"
            : "";
    }

    /// <summary>Returns the Levenshtein distance: insertions, deletions and replacements of one letter.</summary>
    internal static int Distance(string a, string b)
    {
        int[] row = [.. Enumerable.Range(0, b.Length + 1)];
        for (int i = 1; i <= a.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[b.Length];
    }
}
