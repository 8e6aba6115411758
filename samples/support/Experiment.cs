using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Policy;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>The task of a reinforcement-learning sample: model, problems, reward.</summary>
/// <param name="Title">Heading of the report.</param>
/// <param name="Story">A description in one or two sentences.</param>
/// <param name="Policy">The trained model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Reward">The training reward.</param>
/// <param name="Train">Training problems.</param>
/// <param name="HeldOut">Held-out problems.</param>
/// <param name="Measure">The held-out measure in a word or two.</param>
/// <param name="Succeeds">Returns true if a completion of a held-out problem counts as a success.</param>
/// <param name="Options">The trainer's options.</param>
public sealed record Experiment(
    string Title,
    string Story,
    CausalLm Policy,
    ITokenizer Tokenizer,
    IReward Reward,
    IReadOnlyList<Problem> Train,
    IReadOnlyList<Problem> HeldOut,
    string Measure,
    Func<Completion, bool> Succeeds,
    GrpoOptions Options
);
