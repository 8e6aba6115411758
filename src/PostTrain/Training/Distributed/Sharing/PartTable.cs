namespace PostTrain.Training.Distributed;

/// <summary>The parts of an evaluation: each is computed by one of the ranks, and all get the means.</summary>
internal sealed class PartTable(Ranks ranks, MetricMeans means)
{
    private readonly List<PartResult> own = [];
    private readonly List<(int Parts, double Denominator)> batches = [];
    private Exception? error;
    private int count;
    private int before;

    /// <summary>Computes a part, if it is this rank's.</summary>
    /// <param name="row">Passed on.</param>
    /// <param name="loss">The loss of the part; adds to the means.</param>
    internal void Add(int row, Func<int, double> loss)
    {
        int part = count++;
        if (!ranks.Owns(part) || error is not null)
            return;
        try
        {
            own.Add(PartResult.Of(part, () => loss(row), [means]));
        }
        catch (Exception exception) when (!ranks.IsAlone)
        {
            // Told at the end, where the others wait.
            error = exception;
        }
    }

    /// <summary>Ends a batch, whose parts' losses add up to its loss.</summary>
    internal void EndBatch(double denominator)
    {
        batches.Add((count - before, denominator));
        before = count;
    }

    /// <summary>Adds to the means what all parts gave, and each batch's <c>loss</c>, weighted by its denominator.</summary>
    internal void AddUp()
    {
        var all = ranks.IsAlone ? own : Gathered();
        int next = 0;
        foreach (var (parts, denominator) in batches)
        {
            means.Add("loss", PartResult.AddUp(all.Skip(next).Take(parts), [means]), denominator);
            next += parts;
        }
    }

    private List<PartResult> Gathered()
    {
        var messages = ranks.Exchange(
            "an evaluation",
            writer =>
            {
                if (error is not null)
                    System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
                writer.Write(own.Count);
                foreach (var part in own)
                    part.Write(writer);
            }
        );
        var all = new List<PartResult>();
        foreach (var message in messages)
        {
            using var reader = Ranks.Reader(message);
            for (int left = reader.ReadInt32(); left > 0; left--)
                all.Add(PartResult.Read(reader, 1));
        }
        all.Sort((one, other) => one.Part.CompareTo(other.Part));
        return all;
    }
}
