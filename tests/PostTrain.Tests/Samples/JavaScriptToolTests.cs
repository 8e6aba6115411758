using System.Diagnostics;
using Microsoft.Extensions.AI;
using PostTrain.Rollouts;
using PostTrain.Rollouts.Environments;
using PostTrain.Samples.Support;

namespace PostTrain.Tests.Samples;

/// <summary>The sandbox of the samples' JavaScript tool.</summary>
public sealed class JavaScriptToolTests
{
    [Theory]
    [InlineData("347 + 285", "632")]
    [InlineData("[3, 1, 2].sort().map(x => x * x).join()", "1,4,9")]
    [InlineData("JSON.stringify({a: [1, null]})", "{\"a\":[1,null]}")]
    public void Programs_AreEvaluated(string code, string value) => Assert.Equal(value, JavaScriptTool.Evaluate(code, 5, 16_000_000));

    [Theory]
    [InlineData("endless loop", "while (true) {}")]
    [InlineData("endless loop", "for (;;) ;")]
    [InlineData("memory", "let s = 'x'; while (true) s += s;")]
    [InlineData("memory", "const a = []; while (true) a.push(new Array(1000).fill(1));")]
    [InlineData("memory", "'x'.repeat(2 ** 30)")]
    [InlineData("recursion", "function f() { return f() + 1; } f()")]
    [InlineData("recursion", "const o = { toString() { return `${this}`; } }; `${o}`")]
    [InlineData("recursion", "const o = { toString: () => `${o}` }; `${o}`")]
    [InlineData("recursion", "const o = { toString(a = `${o}`) {} }; `${o}`")]
    [InlineData("recursion", "const p = new Proxy({}, { get: (t, k) => p[k] }); p.x")]
    [InlineData("regular expression", "/^(a+)+$/.test('a'.repeat(40) + '!')")]
    [InlineData("files", "require('fs').readFileSync('/etc/passwd')")]
    [InlineData("files", "import('fs')  ;  undefined.x")]
    [InlineData("files", "System.IO.File.ReadAllText('/etc/passwd')")]
    [InlineData("files", "importNamespace('System.IO')")]
    [InlineData("processes", "process.exit(1)")]
    [InlineData("network", "fetch('http://127.0.0.1/')")]
    [InlineData("types", "(1).constructor.constructor('return System')()")]
    [InlineData("syntax", "let let = 1")]
    public void Programs_BeyondTheSandbox_AreStopped(string what, string code)
    {
        var watch = Stopwatch.StartNew();
        var error = Assert.Throws<InvalidOperationException>(() => JavaScriptTool.Evaluate(code, 1, 16_000_000));
        Assert.False(string.IsNullOrEmpty(error.Message), what);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 20);
    }

    [Fact]
    public async Task InAnEnvironment_ResultsAndErrorsAreObservations()
    {
        var environment = new ToolEnvironment([JavaScriptTool.Create(seconds: 0.5)], ToolCallFormat.Hermes);
        async Task<string?> Said(string code)
        {
            string call = $"<tool_call>{{\"name\": \"javascript\", \"arguments\": {{\"code\": \"{code}\"}}}}</tool_call>";
            return await environment.Begin(new EpisodeStart(0, "", 0)).ObserveAsync(new PolicyTurn(1, call, call, [1], RolloutFinish.Stop));
        }
        Assert.Contains("<tool_response>\n42\n</tool_response>", await Said("6 * 7"), StringComparison.Ordinal);
        Assert.Contains("<tool_response>\nerror: ", await Said("for (;;) ;"), StringComparison.Ordinal);
        Assert.Contains("x is not defined", await Said("x"), StringComparison.Ordinal);
    }
}
