// nodemailer: its pool, kept full, the messages made by replacing placeholders.
//
// `node nodemailer.js MODULE PORT CONNECTIONS COUNT LIST FOLDER SUBJECT SENDER` prints how many were sent.
"use strict";

const fs = require("fs");

const [module_, port, connections, count, list, folder, subject, sender] = process.argv.slice(2);
const nodemailer = require(module_);

// No cell of the list is quoted.
const lines = fs.readFileSync(list, "utf8").split("\n").slice(0, Number(count) + 1);
const names = lines.shift().split(",");
const templates = {
  subject,
  html: fs.readFileSync(`${folder}/body.html`, "utf8"),
  text: fs.readFileSync(`${folder}/body.txt`, "utf8"),
};

function filled(template, cells) {
  return names.reduce((text, name, place) => text.split(`{{ ${name} }}`).join(cells[place]), template);
}

const transporter = nodemailer.createTransport({
  pool: true,
  host: "127.0.0.1",
  port: Number(port),
  secure: false,
  ignoreTLS: true,
  maxConnections: Number(connections),
  maxMessages: Infinity,
});

let next = 0;
let sent = 0;

async function feed() {
  while (next < lines.length) {
    const cells = lines[next++].split(",");
    await transporter.sendMail({
      from: { name: "News", address: sender },
      to: { name: `${cells[1]} ${cells[2]}`, address: cells[0] },
      subject: filled(templates.subject, cells),
      html: filled(templates.html, cells),
      text: filled(templates.text, cells),
    });
    sent += 1;
  }
}

// Twice as many as there are connections: each has its next message when it has sent one.
Promise.all(Array.from({ length: 2 * Number(connections) }, feed)).then(
  () => {
    transporter.close();
    console.log(sent);
  },
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);
