using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>A method that is compared with others.</summary>
/// <param name="Name">Of the method.</param>
/// <param name="LearningRate">A rate that suits it.</param>
/// <param name="Attach">Puts it on a fresh copy of the model.</param>
public sealed record Contender(string Name, double LearningRate, Func<Decoder, ITokenizer, Tuning> Attach);
