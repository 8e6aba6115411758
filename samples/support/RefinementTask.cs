using PostTrain.Adapters;
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Text;

namespace PostTrain.Samples.Support;

/// <summary>What ways of refining a model are compared on.</summary>
/// <param name="Name">In tables and, without spaces, in the metrics' names.</param>
/// <param name="Tokenizer">The model's tokenizer.</param>
/// <param name="Fresh">The model before any training.</param>
/// <param name="Load">The model that <see cref="RefinementTrial"/> saved in a folder after the warm-up.</param>
/// <param name="Data">The questions of a seed.</param>
/// <param name="Reward">1 for what counts as right.</param>
public sealed record RefinementTask(
    string Name,
    ITokenizer Tokenizer,
    Func<Tuning> Fresh,
    Func<string, Tuning> Load,
    Func<ulong, RefinementData> Data,
    IReward Reward
)
{
    /// <summary>The name in the metrics' names.</summary>
    public string Key => Name.Split(" (")[0].Replace(' ', '_');

    /// <summary>The paper's reward: 1 for the right answer, 0.1 for another number, 0 for none.</summary>
    private static IReward AnswerAlone => Rewards.Reward.MathAnswer(MathAnswerOptions.ReinforcedFineTuning);

    /// <summary>Sums of three numbers on the base model of a folder: in any order, or in the one that is shown.</summary>
    /// <param name="folder">Of the base model, which has read <see cref="ChainTask.Notes"/>.</param>
    /// <param name="control">One valid way: the demonstrations add the numbers as they stand, and no other way is paid for.</param>
    /// <param name="questions">To train on.</param>
    /// <param name="heldOut">To measure with.</param>
    public static RefinementTask Chains(string folder, bool control, int questions, int heldOut)
    {
        var tokenizer = ChainTask.Tokenizer();
        return new RefinementTask(
            control ? "one valid order (control)" : "six valid orders",
            tokenizer,
            () => Of(folder),
            Of,
            seed =>
            {
                var problems = ChainTask.Problems(questions, heldOut: false, seed);
                return new RefinementData(
                    ChainTask.Demonstrations(problems, anyOrder: !control, seed),
                    problems,
                    ChainTask.Problems(heldOut, heldOut: true, seed)
                );
            },
            control ? ChainTask.OneWay() : AnswerAlone
        );

        Tuning Of(string from) => new(Pretrained.Load(from), tokenizer);
    }

    /// <summary>The user's model and records; a seed then orders and draws, and changes nothing about which records are held out.</summary>
    /// <param name="subject">The model.</param>
    /// <param name="train">Records to train on; what follows the prompt holds the answer.</param>
    /// <param name="heldOut">Records to measure with.</param>
    /// <param name="rank">Of a LoRA adapter; 0 trains the whole model.</param>
    public static RefinementTask Records(
        Subject subject,
        IReadOnlyList<Demonstration> train,
        IReadOnlyList<Demonstration> heldOut,
        int rank
    )
    {
        ArgumentNullException.ThrowIfNull(subject);
        var data = new RefinementData(train, Asked(train), Asked(heldOut));
        return new RefinementTask(
            "the records",
            subject.Tokenizer,
            () =>
                rank > 0
                    ? Adapted(model =>
                        AdaptedModel.Attach(
                            model,
                            new LoraOptions
                            {
                                Targets = ModuleSelection.AllLinear,
                                Rank = rank,
                                Alpha = 2 * rank,
                                BaseModel = subject.Folder,
                            }
                        )
                    )
                    : new Tuning(subject.Again(), subject.Tokenizer),
            folder =>
                rank > 0 ? Adapted(model => AdaptedModel.Load(model, folder)) : new Tuning(Pretrained.Load(folder), subject.Tokenizer),
            _ => data,
            AnswerAlone
        );

        Tuning Adapted(Func<Decoder, AdaptedModel> attach)
        {
            var model = subject.Again();
            return new Tuning(model, subject.Tokenizer, attach(model));
        }

        static Problem[] Asked(IReadOnlyList<Demonstration> records) =>
            [.. records.Select(record => new Problem(record.Prompt, AnswerExtraction.Extract(record.Completion) ?? record.Completion))];
    }
}
