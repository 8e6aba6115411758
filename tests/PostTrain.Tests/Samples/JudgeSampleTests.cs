using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace PostTrain.Tests.Samples;

/// <summary>The sample with the OpenAI package, on a server of the test that gives one mark.</summary>
public sealed class JudgeSampleTests
{
    private const string Answer = """
        {"id":"1","object":"chat.completion","created":1,"model":"toy",
         "choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Fair. [[7]]"}}]}
        """;

    [Fact]
    public async Task Judge_MarksThroughTheOpenAiPackage()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var application = builder.Build();
        var asked = new ConcurrentQueue<(string Path, string Body)>();
        application.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            asked.Enqueue((context.Request.Path, await reader.ReadToEndAsync()));
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(Answer);
        });
        await application.StartAsync();
        var text = await Task.Run(() => SampleTests.Run("samples/experiments/judge.cs", "--", $"{application.Urls.Single()}/v1", "toy"));
        Assert.Equal(5, text.Split('\n').Count(line => line.Contains("mark 7.00", StringComparison.Ordinal)));
        // 5 steps of 4 problems with 8 completions.
        Assert.Equal(160, asked.Count);
        Assert.All(asked, request => Assert.Equal("/v1/chat/completions", request.Path));
        Assert.All(asked, request => Assert.Contains("\"model\":\"toy\"", request.Body, StringComparison.Ordinal));
    }
}
