#:project ../support/PostTrain.Samples.Support.csproj
#:property PublishAot=false
// Test-time search: what accuracy each method buys for its tokens, guided by a process reward model that is trained first.
//   dotnet run -c Release samples/experiments/search.cs [-- --held-out N --most N --steps N --model DIR --data FILE --output DIR]
// Records: problems with answers, docs/data.md. Without a rule for single steps the reward model learns from whether each solution came
// out right.
using System.Globalization;
using PostTrain.Data;
using PostTrain.Models.Heads;
using PostTrain.RewardModeling;
using PostTrain.Rewards;
using PostTrain.Rewards.Steps;
using PostTrain.Samples.Support;
using PostTrain.Search;
using PostTrain.Text;
using PostTrain.Tool;
using PostTrain.Training;
using PostTrain.Training.Reports;

var command = new SampleCommand("search", "Compares test-time search methods by accuracy and tokens.", steps: 600, heldOut: 100);
var most = command.Option("--most", "The most branches at once, a power of two.", 16, OptionRange.Between(4, 256));
var tokens = command.Option("--tokens", "The most tokens of a solution.", 44, OptionRange.AtLeast(1));
var separator = command.Option<string?>("--separator", "What ends a step; by default a line end, and a semicolon of the toy.", null);
var learning = command.Option("--train", "Problems whose solutions the reward model learns from.", 2000, OptionRange.AtLeast(8));
var rate = command.Option<double?>(
    "--learning-rate",
    "Of the reward model; by default what suits the model's width: 5e-4 at 64, less in wider models.",
    null,
    OptionRange.Positive
);
var batch = command.Option("--batch-size", "Solutions in a step of the reward model's training.", 32, OptionRange.AtLeast(1));
var template = command.Option("--template", UserData.TemplateHelp, "alpaca");
return await command.RunAsync(
    args,
    async (run, values) =>
    {
        using var subject = Subject.Load(run);
        var data = ProblemData.Load(run, subject, values.GetValue(template)!, values.GetValue(tokens));
        var ends = values.GetValue(separator) ?? (subject.IsToy ? ";" : "\n");
        var places = subject.IsToy ? AnswerPlaces.Tags : AnswerPlaces.Any;
        var sampling = subject.Sampling(values.GetValue(tokens));
        var right = Reward.MathAnswer(new MathAnswerOptions { Places = places });
        using var head = SequenceClassifier.For(subject.Again(), new ClassifierOptions { Bias = true });
        var reports = await TrainAsync();

        using var steps = Generator([]);
        var encoding = new StepEncodingOptions { Separator = ends, MaximumLength = subject.Model.ContextLength };
        using var process = new CachedStepReward(head, subject.Tokenizer, new LearnedRewardOptions { Encoding = encoding });
        var value = SolutionValue.Of(process, ends);
        using var thinking = Thinking() is { } forcing ? Generator([forcing.Rule()]) : null;
        var methods = SearchContender.All(steps, thinking, value, places, values.GetValue(most)).ToArray();
        var outcomes = new Dictionary<string, SolvedProblem[]>();
        foreach (var contender in methods)
            outcomes[contender.Method.Name] = await MeasureAsync(contender);
        Report();

        SamplerSteps Generator(IReadOnlyList<PostTrain.Rollouts.DecodingRule> rules) =>
            StepGenerator.Of(
                subject.Model,
                subject.Tokenizer,
                new StepOptions { Separators = [ends], Sampling = sampling with { Rules = rules } }
            );

        // Where "</think>" is a token: an answer that comes without thinking is put off.
        BudgetForcing? Thinking()
        {
            int[] Ids(string text)
            {
                try
                {
                    return subject.Tokenizer.Encode(MarkedText.Rendered(text));
                }
                catch (ArgumentException)
                {
                    return [];
                }
            }
            int[] ends = [.. ((string[])["</think>", "<answer>"]).Select(Ids).Where(ids => ids.Length == 1).Select(ids => ids[0])];
            return ends.Length == 0 || Ids("<think>") is not { Length: 1 } wait
                ? null
                : new BudgetForcing
                {
                    EndTokens = [.. ends, .. subject.Tokenizer.EndOfSequenceIds],
                    Wait = wait,
                    Least = 1,
                };
        }

        // The toy's steps are judged by a rule, as in reward-model.cs; others by whether their solution came out right, which is a
        // Monte-Carlo label of one rollout.
        async Task<IReadOnlyList<StepReport>> TrainAsync()
        {
            var problems = data.Train.Take(values.GetValue(learning)).ToArray();
            var drawn = Sampled.Completions(subject.Model, subject.Tokenizer, problems, sampling, run.Seed);
            var answered = (await right.ScoreAsync(drawn, RewardContext.None, run.Cancellation)).Values;
            SteppedCompletion[] stepped = [.. drawn.Select(completion => SteppedCompletion.Of(completion, ends))];
            var ruled = await StepReward.Arithmetic().ScoreStepsAsync(stepped, RewardContext.None, run.Cancellation);
            StepwiseExample[] examples =
            [
                .. stepped
                    .Select(
                        (item, i) =>
                            new StepwiseExample(
                                item.Completion.Problem.Prompt,
                                [.. item.Steps.Select(step => step.Text)],
                                [
                                    .. item.Steps.Select(
                                        (_, k) => (subject.IsToy && !double.IsNaN(ruled[i][k]) ? ruled[i][k] : answered[i]) > 0.5 ? 1 : 0
                                    ),
                                ]
                            )
                    )
                    .Where(example => example.Steps.Count > 0),
            ];
            Console.WriteLine(
                $"{examples.Length} solutions of the model itself, {100 * answered.Average():F1} % right, to learn steps from"
            );
            using var trainer = new ProcessRewardTrainer(
                head,
                subject.Tokenizer,
                new ProcessRewardOptions
                {
                    Steps = run.Steps,
                    BatchSize = values.GetValue(batch),
                    LearningRate = values.GetValue(rate) ?? subject.Rate(5e-4),
                    MicroBatchSize = run.MicroBatch(data.Longest),
                    WarmupSteps = run.Steps / 10,
                    Schedule = LearningRateSchedule.Cosine,
                    Encoding = new StepEncodingOptions { Separator = ends, MaximumLength = subject.Model.ContextLength },
                    Seed = run.Seed,
                }
            );
            return run.Train("process reward model", run.Steps, trainer.Run(examples, null, run.Cancellation), "process");
        }

        async Task<SolvedProblem[]> MeasureAsync(SearchContender contender)
        {
            var (family, width, method) = contender;
            var found = new List<SolvedProblem>();
            foreach (var (problem, i) in data.HeldOut.Select((problem, i) => (problem, i)))
            {
                run.Cancellation.ThrowIfCancellationRequested();
                var result = await method.RunAsync(problem, run.Seed + (ulong)i, run.Cancellation);
                var score = await right.ScoreAsync([result.Best.Solution.ToCompletion()], RewardContext.None, run.Cancellation);
                found.Add(new SolvedProblem(score.Values[0] > 0.5, result.Tokens, result.Best.Score));
            }

            var accuracy = new Proportion(found.Count(one => one.IsRight), found.Count);
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{method.Name, -36} {found.Average(one => one.Tokens), 8:F0} tokens  {accuracy}"
                )
            );
            run.Log(
                new StepReport(
                    outcomes.Count + 1,
                    double.NaN,
                    new Dictionary<string, double>
                    {
                        [$"search/{family}/accuracy"] = accuracy.Value,
                        [$"search/{family}/tokens"] = found.Average(one => one.Tokens),
                        [$"search/{family}/width"] = width,
                    },
                    TimeSpan.Zero
                )
            );
            return [.. found];
        }

        void Report()
        {
            var accuracies = methods.ToDictionary(
                item => item.Method.Name,
                item => new Proportion(outcomes[item.Method.Name].Count(one => one.IsRight), data.HeldOut.Count)
            );
            double Tokens(string name) => outcomes[name].Average(one => one.Tokens);

            // Fitted on the first half of the held-out problems, judged on the second.
            var half = data.HeldOut.Count / 2;
            var single = outcomes["one sample"];
            double Difficulty(int i) => 1 - single[i].Score;
            var table = ComputeTable.Fit(
                [
                    .. outcomes.SelectMany(item =>
                        item.Value.Take(half).Select((one, i) => new SearchTrial(item.Key, Difficulty(i), one.IsRight, one.Tokens))
                    ),
                ],
                levels: 3
            );
            var slow = methods.Last(item => item.Family == "beam").Method.Name;
            var router = Router.Fit(
                [
                    .. Enumerable
                        .Range(0, half)
                        .Select(i => new RoutingExample(
                            single[i].Score,
                            single[i].IsRight ? 1 : 0,
                            outcomes[slow][i].IsRight ? 1 : 0,
                            outcomes[slow][i].Tokens
                        )),
                ],
                price: 0.2 / Tokens(slow)
            );
            var rest = Enumerable.Range(half, data.HeldOut.Count - half).ToArray();
            SolvedProblem[] chosen = [.. rest.Select(i => outcomes[table.Choose(Difficulty(i)).Method][i])];
            SolvedProblem[] routed =
            [
                .. rest.Select(i =>
                    router.CallsSlow(single[i].Score)
                        ? outcomes[slow][i] with
                        {
                            Tokens = outcomes[slow][i].Tokens + single[i].Tokens,
                        }
                        : single[i]
                ),
            ];
            string[] Row(string name, double spent, Proportion share) =>
                [name, string.Create(CultureInfo.InvariantCulture, $"{spent:F0}"), share.ToString()];
            string[] Later(string name, SolvedProblem[] found) =>
                Row(
                    $"{name} (second half of the problems)",
                    found.Average(one => one.Tokens),
                    new Proportion(found.Count(one => one.IsRight), found.Length)
                );
            var rows = new ReportTable(
                ["method", "tokens", "right"],
                [
                    .. methods.Select(item => Row(item.Method.Name, Tokens(item.Method.Name), accuracies[item.Method.Name])),
                    Later("table by difficulty", chosen),
                    Later("router between one sample and the beam", routed),
                ]
            );
            ConsoleTable.Print(rows);
            var page = run.Page(
                    "Test-time search",
                    $"{subject.Name}: right answers of {data.HeldOut.Count} held-out problems against the "
                        + "tokens that each method spends on one."
                )
                .Frontier(
                    "Right answers over tokens, with 95 % intervals",
                    new FrontierChart(
                        "tokens per problem",
                        "share of right answers",
                        [
                            .. methods.Select(item =>
                                FrontierPoint.Of(item.Method.Name, Tokens(item.Method.Name), accuracies[item.Method.Name], item.Family)
                            ),
                        ]
                    )
                    {
                        LogX = true,
                    }
                )
                .Proportions(
                    "Right answers, with 95 % intervals",
                    [.. methods.Select(item => new NamedProportion(item.Method.Name, accuracies[item.Method.Name]))]
                )
                .Table("Methods", rows)
                .Run(reports, name: "Process reward model");
            run.Finish(
                page,
                methods
                    .ToDictionary(
                        item => item.Method.Name,
                        item =>
                            (object)
                                new Dictionary<string, object>
                                {
                                    ["accuracy"] = accuracies[item.Method.Name].Value,
                                    ["interval"] = accuracies[item.Method.Name].Interval(),
                                    ["tokens"] = Tokens(item.Method.Name),
                                }
                    )
                    .Append(new("router_threshold", router.Threshold.ToString(CultureInfo.InvariantCulture)))
            );
        }
    }
);

/// <summary>Result of a method on one problem.</summary>
/// <param name="IsRight">Whether the answer is right.</param>
/// <param name="Tokens">What it cost.</param>
/// <param name="Score">Of the chosen solution.</param>
internal readonly record struct SolvedProblem(bool IsRight, double Tokens, double Score);
