using System.CommandLine;
using PostTrain.Policy;

namespace PostTrain.Tool;

/// <summary><c>posttrain ppo</c>: proximal policy optimisation with a critic on the policy's body.</summary>
internal sealed class PpoCommand : RolloutCommand
{
    private readonly Option<double> kl;
    private readonly Option<int> updates;
    private readonly Option<double> lambda;
    private readonly Option<int> criticWarmup;

    internal PpoCommand(Terminal terminal)
        : base(
            "ppo",
            "Reinforcement learning with a critic and a KL penalty, from rules or a reward model.",
            new TrainingDefaults("a prompt or question, and an answer for the reward math", 16, 3e-4, null),
            groupSize: 1,
            terminal
        )
    {
        kl = Of("--kl", "Weight of the KL penalty in the reward; the model as it was is the reference.", 0.05, OptionRange.AtLeast(0));
        updates = Of("--updates", "Updates on each batch.", 4, OptionRange.AtLeast(1));
        lambda = Of("--lambda", "λ of generalised advantage estimation.", 0.95, OptionRange.Between(0, 1));
        criticWarmup = Of("--critic-warmup", "First steps in which only the critic learns.", 0, OptionRange.AtLeast(0));
    }

    protected override async Task TrainAsync(TrainingRun run, ParseResult values)
    {
        using var model = run.LoadModel();
        var data = ReadProblems(run, model, values);
        using var rules = Rules(run, values);
        double weight = values.GetValue(kl);
        var options = Shared(
            new PpoOptions
            {
                Kl = KlControl.Fixed(weight),
                Reference = weight > 0 ? model.Reference() : null,
                UpdatesPerBatch = values.GetValue(updates),
                Lambda = values.GetValue(lambda),
                CriticWarmupSteps = values.GetValue(criticWarmup),
            },
            run,
            model,
            data,
            values
        );
        using var trainer = new PpoTrainer(model.Model, model.Tokenizer, rules.Reward, options);
        var prompts = data.HeldOut.Select(problem => problem.Prompt);
        var before = run.Answers(model, prompts, "before");
        var reports = await run.TrainAsync(trainer, data, "PPO").ConfigureAwait(false);
        run.Finish(model, reports, "PPO", before, run.Answers(model, prompts, "after"));
    }
}
