using System.Globalization;

namespace PostTrain.Laws;

/// <summary>How well a loss keeps a law.</summary>
/// <param name="Law">Its name.</param>
/// <param name="Error">The largest |a − b|/(1 + |b|) over the loss and its gradients; NaN or infinite where one side is.</param>
/// <param name="Tolerance">What it may be.</param>
/// <param name="Worst">Where the largest error stands.</param>
public sealed record LawResult(string Law, double Error, double Tolerance, string Worst)
{
    /// <summary>Whether the error is within the tolerance; a NaN is not.</summary>
    public bool Holds => Error <= Tolerance;

    /// <summary>Throws where the law does not hold.</summary>
    /// <exception cref="InvalidOperationException">The law does not hold; the message says where and by how much.</exception>
    public void Demand()
    {
        if (!Holds)
            throw new InvalidOperationException(ToString());
    }

    /// <summary>One line for people.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Law}: {(Holds ? "holds" : "broken")}, error {Error:G3} of {Tolerance:G3} allowed, at {Worst}"
        );
}
