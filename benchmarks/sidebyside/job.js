// The least possible for a job: submit, poll its status, let it expire; for k6.
// Its work stands in the environment (see clients.script_environment): with a rate, jobs begin
// so many a second, without one, USERS users go on until JOBS jobs are done.
import http from 'k6/http';
import { sleep } from 'k6';

const { URL, RATE } = __ENV;
const POLL_S = Number(__ENV.POLL_S);
const USERS = Number(__ENV.USERS);
const JOBS = Number(__ENV.JOBS);
const JSON_TYPE = { headers: { 'Content-Type': 'application/json' } };
const BODY = JSON.stringify({
  jobType: 'mesmer', imageName: 'image.png', uploadedName: 'uploads/image.png',
});

const paced = {
  executor: 'constant-arrival-rate', rate: Number(RATE), timeUnit: '1s',
  duration: `${Math.ceil(JOBS / Number(RATE || 1))}s`, preAllocatedVUs: USERS,
};
const saturating = {
  executor: 'shared-iterations', vus: USERS, iterations: JOBS, maxDuration: '30m',
};
export const options = { scenarios: { jobs: RATE ? paced : saturating } };

function post(path, body) {
  return http.post(URL + path, body, JSON_TYPE);
}

export default function () {
  const hash = post('/api/predict', BODY).json('hash');
  let status = '';
  let wait = Math.random() * POLL_S;
  while (status !== 'done' && status !== 'failed') {
    if (RATE) sleep(wait);
    wait = POLL_S;
    status = post('/api/status', JSON.stringify({ hash })).json('status');
  }
  post('/api/redis/expire', JSON.stringify({ hash, expireIn: 3600 }));
}
