using System.CommandLine;
using PostTrain.Policy;

namespace PostTrain.Tool;

/// <summary><c>posttrain grpo</c>: policy optimisation without a critic.</summary>
internal sealed class GrpoCommand : RolloutCommand
{
    private readonly Option<string?> preset;
    private readonly Option<double> beta;
    private readonly Option<int> updates;

    internal GrpoCommand(Terminal terminal)
        : base(
            "grpo",
            "Reinforcement learning without a critic, from rules or a reward model.",
            new TrainingDefaults("a prompt or question, and an answer for the reward math", 8, 1e-3, null),
            groupSize: 8,
            terminal
        )
    {
        preset = Choice("--loss", "The method.", "grpo", PolicyObjectiveNames.All.Keys);
        beta = Of("--beta", "Weight of the divergence from the model as it was.", 0.0, OptionRange.AtLeast(0));
        updates = Of("--updates", "Updates on each batch.", 1, OptionRange.AtLeast(1));
    }

    protected override async Task TrainAsync(TrainingRun run, ParseResult values)
    {
        string name = values.GetValue(preset)!;
        int tokens = values.GetValue(Tokens);
        using var model = run.LoadModel();
        var data = ReadProblems(run, model, values);
        using var rules = Rules(run, values);
        double weight = values.GetValue(beta);
        var options = Shared(
            new GrpoOptions
            {
                Objective = PolicyObjectiveNames.All[name](tokens) with { Beta = weight },
                Reference = weight > 0 ? model.Reference() : null,
                UpdatesPerBatch = values.GetValue(updates),
                DynamicSampling = name == "dapo" ? new DynamicSampling { MaxDraws = 3 } : null,
                Overlong = name == "dapo" ? new OverlongPenalty { Buffer = Math.Max(1, tokens / 4) } : null,
            },
            run,
            model,
            data,
            values
        );
        using var trainer = new GrpoTrainer(model.Model, model.Tokenizer, rules.Reward, options);
        var prompts = data.HeldOut.Select(problem => problem.Prompt);
        var before = run.Answers(model, prompts, "before");
        var reports = await run.TrainAsync(trainer, data, $"Reinforcement learning: {name}").ConfigureAwait(false);
        run.Finish(model, reports, $"Reinforcement learning: {name}", before, run.Answers(model, prompts, "after"));
    }
}
