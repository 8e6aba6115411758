#:project support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// RLHF in three stages: supervised fine-tuning, a reward model from preferences, PPO against it. The learnt reward is watched with the true one.
//   dotnet run -c Release samples/ppo.cs [-- --model DIR --data FILE --steps N --kl 0.05 --output DIR]
// Records: chosen and rejected with a prompt or an instruction; the chosen side is the demonstration too.
using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Policy;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Samples.Support;
using PostTrain.Supervised;
using PostTrain.Training;
using PostTrain.Training.Reports;

const int toyProblems = 4000;
var command = new SampleCommand("ppo", "RLHF in three stages; --steps are PPO's.", steps: 60);
var firstSteps = command.Option("--sft-steps", "Steps of supervised fine-tuning.", 40);
var rewardSteps = command.Option("--reward-steps", "Steps of the reward model.", 200);
var kl = command.Option("--kl", "Weight of the divergence from the first stage's model.", 0.05);
var rate = command.Option("--learning-rate", "PPO's.", 3e-4);
var batch = command.Option("--batch-size", "Prompts in a step of PPO.", 64);
var tokens = command.Option("--tokens", "Most tokens of a completion.", 48);
var template = command.Option("--template", "Of instructions: plain, alpaca, chat, or a format with {instruction} and {input}.", "alpaca");
return await command.RunAsync(args, async (run, values) =>
{
    using var subject = Subject.Load(run);
    var (train, heldOut, demonstrations, problems) = Data();
    var sampling = new SamplingOptions { MaxNewTokens = values.GetValue(tokens) };
    var stages = new List<(string Name, IReadOnlyList<Completion> Completions)> { ("base", Draw()) };

    // 1. Demonstrations. The toy's teacher slips now and then, so that something is left to learn.
    using (var trainer = new SftTrainer(subject.Model, subject.Tokenizer, Common(new SftOptions { LearningRate = 1e-3 }, values.GetValue(firstSteps), 32)))
        run.Train("1. supervised fine-tuning", values.GetValue(firstSteps), trainer.Run(demonstrations, cancellation: run.Cancellation), "sft");
    subject.Save(subject.Model, run.PathOf("sft"));
    stages.Add(("supervised", Draw()));

    // 2. A reward model from preferences, on the supervised model's body.
    using var judge = SequenceClassifier.For(Pretrained.Load(run.PathOf("sft")));
    Proportion ranked;
    using (var trainer = new RewardTrainer(judge, subject.Tokenizer, Common(new RewardTrainerOptions { LearningRate = 5e-4, Objective = new BradleyTerryOptions { CenteringCoefficient = 0.01 } }, values.GetValue(rewardSteps), 32)))
    {
        run.Train("2. reward model", values.GetValue(rewardSteps), trainer.Run(train, cancellation: run.Cancellation), "reward_model");
        ranked = new Proportion(heldOut.Count(pair => trainer.Evaluate([pair])["eval/reward/accuracy"] > 0.5), heldOut.Count);
    }
    Pretrained.Save(judge, run.PathOf("reward-model"));

    // 3. PPO against the learnt reward, near to the supervised model.
    var reward = LearnedRewards.Outcome(judge, subject.Tokenizer);
    using var frozen = Pretrained.Load(run.PathOf("sft"));
    using var critic = ValueHead.WithOwnBody(Pretrained.Load(run.PathOf("sft")), new HeadOptions { StandardDeviation = 0 });
    var options = Common(new PpoOptions
    {
        LearningRate = values.GetValue(rate),
        Kl = KlControl.Fixed(values.GetValue(kl)),
        UnfinishedPenalty = 1,
        CriticWarmupSteps = Math.Min(5, run.Steps / 4),
        ValueCoefficient = 0.5,
        Sampling = sampling,
    }, run.Steps, values.GetValue(batch));
    IReadOnlyList<StepReport> reports;
    using (var trainer = new PpoTrainer(subject.Model, critic, subject.Tokenizer, reward, options, ReferencePolicy.Of(frozen)))
        reports = await run.TrainAsync("3. PPO", run.Steps, trainer.RunAsync([.. train.Select(pair => new Problem(pair.Prompt))], cancellation: run.Cancellation), "ppo");
    subject.Save(subject.Model, run.PathOf("model"));
    stages.Add(("PPO", Draw()));

    var results = new List<(string Name, Estimate Learnt, Proportion Right)>();
    foreach (var (name, completions) in stages)
        results.Add((name, Estimate.Of((await reward.ScoreAsync(completions, RewardContext.None, run.Cancellation)).Values), Measure.Right(completions)));
    string[] columns = ["held out, after", "learnt reward", .. subject.IsToy ? ["right answers"] : (string[])[]];
    var table = new ReportTable(columns, [.. results.Select(result => (string[])[result.Name, result.Learnt.ToString(), .. subject.IsToy ? [result.Right.ToString()] : (string[])[]])]);
    ConsoleTable.Print(table);
    Console.WriteLine($"held-out pairs that the reward model puts in the right order: {ranked}");
    var page = run.Page("RLHF in three stages", $"{subject.Name}: supervised fine-tuning, a reward model from {train.Count} pairs, PPO with a KL weight of {values.GetValue(kl)}.")
        .Table("One sampled answer to each held-out prompt", table)
        .Paragraph("The learnt reward is what PPO sees. Where it rises and the share of right answers does not, the policy has found what the reward model overrates.");
    if (subject.IsToy) page.Proportions("Right answers", [.. results.Select(result => new NamedProportion(result.Name, result.Right))]);
    run.Finish(page.Proportions("Reward model", new NamedProportion("held-out pairs in the right order", ranked))
        .Run(reports)
        .Completions("The same held-out prompts: supervised, and after PPO", Measure.Pairs(stages[1].Completions, stages[2].Completions)),
        results.SelectMany(result => (KeyValuePair<string, object>[])
        [
            new($"reward_{result.Name}", result.Learnt.Mean), new($"reward_{result.Name}_interval", result.Learnt.Interval),
            .. subject.IsToy ? [new($"accuracy_{result.Name}", result.Right.Value), new($"accuracy_{result.Name}_interval", result.Right.Interval())] : (KeyValuePair<string, object>[])[],
        ]).Append(new("reward_model_accuracy", ranked.Value)).Append(new("reward_model_accuracy_interval", ranked.Interval())));

    IReadOnlyList<Completion> Draw() => Sampled.Completions(subject.Model, subject.Tokenizer, problems, sampling, run.Seed);

    T Common<T>(T options, int steps, int batchSize)
        where T : TrainingOptions => (T)(options with { Steps = steps, BatchSize = batchSize, WarmupSteps = steps / 10, Schedule = LearningRateSchedule.Cosine, Seed = run.Seed });

    (IReadOnlyList<PreferencePair> Train, IReadOnlyList<PreferencePair> HeldOut, IReadOnlyList<Demonstration> Demonstrations, IReadOnlyList<Problem> Problems) Data()
    {
        if (run.Data is null)
        {
            var seen = ArithmeticTask.Problems(toyProblems, heldOut: false, run.Seed);
            var unseen = ArithmeticTask.Problems(run.HeldOut, heldOut: true, run.Seed);
            return (ArithmeticTask.DraftPairs(seen, run.Seed), ArithmeticTask.DraftPairs(unseen, run.Seed + 1), ArithmeticTask.Drafts(seen, run.Seed + 2), unseen);
        }
        var (train, heldOut) = UserData.Split(UserData.Fitting(UserData.Pairs(run.Data, InstructionTemplate.Of(values.GetValue(template)!, subject.Folder)), subject.Tokenizer,
            subject.Model.ContextLength - 1, pair => [pair.Prompt + pair.Chosen, pair.Prompt + pair.Rejected]), run.HeldOut);
        int room = subject.Model.ContextLength - values.GetValue(tokens);
        return ([.. train.Where(pair => subject.Tokenizer.Encode(pair.Prompt).Length <= room)], heldOut, [.. train.Select(pair => new Demonstration(pair.Prompt, pair.Chosen))],
            [.. heldOut.Select(pair => new Problem(pair.Prompt)).Where(problem => subject.Tokenizer.Encode(problem.Prompt).Length <= room)]);
    }
});
