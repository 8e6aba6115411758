using System.Globalization;

namespace PostTrain.Laws;

/// <summary>The result of testing a law on a loss.</summary>
/// <param name="Law">Name of the law.</param>
/// <param name="Error">The largest |a − b|/(1 + |b|) over the loss and its gradients; NaN or infinite if one side is.</param>
/// <param name="Tolerance">The largest error allowed.</param>
/// <param name="Worst">Place of the largest error.</param>
public sealed record LawResult(string Law, double Error, double Tolerance, string Worst)
{
    /// <summary>True if the error is within the tolerance; false for NaN.</summary>
    public bool Holds => Error <= Tolerance;

    /// <summary>Throws if the law does not hold.</summary>
    /// <exception cref="InvalidOperationException">The law does not hold; the message gives the place and the error.</exception>
    public void Demand()
    {
        if (!Holds)
            throw new InvalidOperationException(ToString());
    }

    /// <summary>Returns the result as one line of text.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Law}: {(Holds ? "holds" : "broken")}, error {Error:G3} of {Tolerance:G3} allowed, at {Worst}"
        );
}
