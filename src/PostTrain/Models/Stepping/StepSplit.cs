namespace PostTrain.Models;

/// <summary>The outputs of a product cut into parts for a team of threads.</summary>
/// <param name="Outputs">All outputs.</param>
/// <param name="Size">Outputs of a part.</param>
internal readonly record struct StepSplit(int Outputs, int Size)
{
    // Whole tiles of the product.
    private const int Step = 8;

    private const int PartsOfThread = 3;

    /// <summary>Number of parts.</summary>
    public int Count => (Outputs + Size - 1) / Size;

    /// <summary>One part for one thread; a few for each of several, so that a late one costs little.</summary>
    public static StepSplit Of(int outputs, int threads)
    {
        if (threads == 1)
            return new(outputs, outputs);
        var size = (outputs + PartsOfThread * threads - 1) / (PartsOfThread * threads);
        return new(outputs, (size + Step - 1) / Step * Step);
    }

    /// <summary>First output and number of outputs of a part.</summary>
    public (int First, int Count) Part(int index) => (index * Size, Math.Min(Size, Outputs - index * Size));
}
